"""A DHCP client of few lines, which takes many leases with made-up hardware addresses.

Messages after RFC 2131; replies are asked for as broadcasts.
"""

from __future__ import annotations

import argparse
import random
import socket
import struct
import time
from dataclasses import dataclass

COOKIE = b"\x63\x82\x53\x63"
DISCOVER, OFFER, REQUEST, ACK, RELEASE = 1, 2, 3, 5, 7


@dataclass(frozen=True)
class Lease:
    """An address given to a hardware address."""

    mac: bytes
    address: str


def message(kind: int, mac: bytes, number: int, options: dict[int, bytes], client: str = "0.0.0.0") -> bytes:
    """The bytes of a client's message."""
    head = struct.pack(
        ">4BIHH4s4s4s4s16s", 1, 1, 6, 0, number, 0, 0x8000 if client == "0.0.0.0" else 0,
        socket.inet_aton(client), bytes(4), bytes(4), bytes(4), mac,
    )  # fmt: skip
    tail = bytes([53, 1, kind])
    for code, value in options.items():
        tail += bytes([code, len(value)]) + value
    return head + bytes(192) + COOKIE + tail + b"\xff"


def _receive(sock: socket.socket, number: int, timeout: float) -> bytes | None:
    """The next reply to transaction `number`."""
    end = time.monotonic() + timeout
    while (left := end - time.monotonic()) > 0:
        sock.settimeout(left)
        try:
            reply = sock.recv(1500)
        except OSError:
            return None
        if len(reply) > 240 and struct.unpack(">I", reply[4:8])[0] == number:
            return reply
    return None


def take(sock: socket.socket, server: str, mac: bytes) -> Lease | None:
    """Discover, request; None when no address was offered."""
    number = random.randrange(2**32)
    sock.sendto(message(DISCOVER, mac, number, {}), ("255.255.255.255", 67))
    offer = _receive(sock, number, 3.5)
    if offer is None:
        return None
    options = {50: offer[16:20], 54: socket.inet_aton(server)}
    sock.sendto(message(REQUEST, mac, number, options), ("255.255.255.255", 67))
    _receive(sock, number, 1.0)
    return Lease(mac, socket.inet_ntoa(offer[16:20]))


def exhaust(seconds: float, rate: float, server: str, interface: str) -> None:
    """Take leases for `seconds`, then give them all back."""
    leases: list[Lease] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        sock.bind(("", 68))
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            mac = bytes([2, *random.randbytes(5)])
            lease = take(sock, server, mac)
            if lease is not None:
                leases.append(lease)
            time.sleep(1 / rate)
        for lease in leases:
            options = {54: socket.inet_aton(server)}
            packet = message(RELEASE, lease.mac, random.randrange(2**32), options, lease.address)
            sock.sendto(packet, (server, 67))
            time.sleep(0.01)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--server", required=True)
    parser.add_argument("--interface", required=True)
    given = parser.parse_args()
    exhaust(given.seconds, given.rate, given.server, given.interface)


if __name__ == "__main__":
    main()
