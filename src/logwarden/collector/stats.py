"""Counters of a running syslog-ng, from its control socket: every version answers there."""

from __future__ import annotations

import csv
import socket
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_SECONDS: Final = 10.0
_MOST_BYTES: Final = 64 * 1024 * 1024
_END: Final = b"\n.\n"
_DESTINATION: Final = "dst.kafka"
_UDP_TABLES: Final = ("/proc/net/udp", "/proc/net/udp6")


@dataclass(frozen=True)
class Stats:
    """What a collector has done since its start, in messages.

    Attributes
    ----------
    received
        By listener.
    senders
        By address. Old senders are forgotten after some minutes.
    connections
        Open ones, by listener.
    written
        Acknowledged by Kafka.
    queued
        In the buffer, not yet acknowledged.
    dropped
        Lost, because the buffer was full.
    """

    received: Counter[str] = field(default_factory=Counter)
    senders: Counter[str] = field(default_factory=Counter)
    connections: Counter[str] = field(default_factory=Counter)
    written: int = 0
    queued: int = 0
    dropped: int = 0


def read_stats(control: str) -> Stats:
    """Return the counters of the syslog-ng with this control socket.

    Raises
    ------
    OSError
        If nobody answers.
    """
    return parse_stats(ask(control, "STATS CSV"))


def ask(control: str, command: str) -> str:
    """Return the answer to a command on the control socket."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(_SECONDS)
        sock.connect(control)
        sock.sendall(command.encode() + b"\n")
        answer = bytearray()
        while not answer.endswith(_END):
            part = sock.recv(65536)
            if not part or len(answer) > _MOST_BYTES:
                raise OSError(f"{control}: broken answer to {command}")
            answer += part
    return answer[: -len(_END)].decode("utf-8", "replace")


def parse_stats(text: str) -> Stats:
    """Return the counters in a table of ``STATS CSV``."""
    received: Counter[str] = Counter()
    senders: Counter[str] = Counter()
    connections: Counter[str] = Counter()
    kafka: Counter[str] = Counter()
    for row in csv.reader(text.splitlines(), delimiter=";", quotechar='"', escapechar="\\"):
        if len(row) != 6 or not row[5].isdecimal():
            continue
        name, identity, instance, _, kind, number = row
        if name == "source" and kind == "processed":
            received[identity] += int(number)
        elif name == "src.host" and kind == "processed":
            senders[instance] += int(number)
        elif name.startswith("src.") and kind == "connections":
            connections[identity] += int(number)
        elif name == _DESTINATION:
            kafka[kind] += int(number)
    return Stats(received, senders, connections, kafka["written"], kafka["queued"], kafka["dropped"])


def kernel_drops(ports: dict[int, str], tables: tuple[str, ...] = _UDP_TABLES) -> Counter[str]:
    """Return the datagrams that the kernel has dropped, because a socket's buffer was full, by listener.

    Parameters
    ----------
    ports
        Names of listeners by their UDP port.
    tables
        Where the kernel tells, in the network namespace of the collector.
    """
    drops: Counter[str] = Counter()
    for table in tables:
        file = Path(table)
        for line in file.read_text().splitlines()[1:] if file.exists() else ():
            words = line.split()
            name = ports.get(int(words[1].rpartition(":")[2], 16))
            if name is not None:
                drops[name] += int(words[-1])
    return drops
