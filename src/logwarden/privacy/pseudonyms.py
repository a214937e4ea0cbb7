"""Keyed pseudonyms: the same value always becomes the same other value, and only the key could tell which.

An address becomes an address, and two addresses of one subnet two addresses of another one: the prefix-preserving
scheme of Xu et al., "Prefix-Preserving IP Address Anonymization", 2002 (Crypto-PAn), with BLAKE2 for the cipher. So
a reader still sees that it is one sender, or one subnet, and templates stay what they are.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from hashlib import blake2b

SHORTEST_KEY = 16
"""Least bytes of a key: with a shorter one, pseudonyms could be guessed back."""

_REMEMBERED = 65_536
_NAME_BYTES = 5
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Pseudonyms:
    """Pseudonyms under one key of at least :data:`SHORTEST_KEY` bytes."""

    def __init__(self, key: bytes) -> None:
        if len(key) < SHORTEST_KEY:
            raise ValueError(f"the key has {len(key)} bytes, expected {SHORTEST_KEY} or more")
        self._key = blake2b(key, person=b"logwarden").digest()
        self.ip = lru_cache(_REMEMBERED)(self._ip)
        """Address to address; one that names no machine (loopback, groups, netmasks) and no address stay."""
        self.mac = lru_cache(_REMEMBERED)(self._mac)
        """MAC or EUI-64, in any notation, to one in the same notation; those of groups stay."""
        self.user = lru_cache(_REMEMBERED)(self._user)
        """Name to ``user-`` and ten hexadecimal digits, whatever its case."""
        self.email = lru_cache(_REMEMBERED)(self._email)
        """E-mail address to one under ``masked.invalid``."""

    def _hash(self, kind: bytes, value: bytes, size: int) -> bytes:
        return blake2b(kind + b"\0" + value, key=self._key, digest_size=size).digest()

    def _ip(self, text: str) -> str:
        try:
            address: _Address = ipaddress.ip_address(text)
        except ValueError:
            return text
        if _names_no_machine(address):
            return text
        # Walking on until the result names a machine keeps the mapping one to one.
        found = self._preserving_prefixes(address)
        while _names_no_machine(found):
            found = self._preserving_prefixes(found)
        return str(found)

    def _preserving_prefixes(self, address: _Address) -> _Address:
        """Flip each bit or not, as the hash of the bits before it says."""
        bits, number, flips = address.max_prefixlen, int(address), 0
        kind = b"ip%d" % address.version
        for known in range(bits):
            prefix = number >> (bits - known)
            flips = flips << 1 | self._hash(kind, known.to_bytes(1, "big") + prefix.to_bytes(16, "big"), 1)[0] & 1
        return type(address)(number ^ flips)

    def _mac(self, text: str) -> str:
        digits = [char for char in text if char.isalnum()]
        original = bytes.fromhex("".join(digits))
        if original[0] & 1 or not any(original):
            return text
        hashed = bytearray(self._hash(b"mac", original, len(original)))
        hashed[0] = hashed[0] & 0xFC | 0x02  # of one machine, and given by whoever runs the network
        new = iter(hashed.hex().upper() if any(char.isupper() for char in digits) else hashed.hex())
        return "".join(next(new) if char.isalnum() else char for char in text)

    def _user(self, name: str) -> str:
        return "user-" + self._hash(b"user", name.casefold().encode("utf-8", "surrogateescape"), _NAME_BYTES).hex()

    def _email(self, address: str) -> str:
        value = address.casefold().encode("utf-8", "surrogateescape")
        return f"user-{self._hash(b'email', value, _NAME_BYTES).hex()}@masked.invalid"


def _names_no_machine(address: _Address) -> bool:
    if address.is_multicast or address.is_loopback or address.is_unspecified:
        return True
    # 0/8 and 240/4 hold wildcards, netmasks and the broadcast address.
    return isinstance(address, ipaddress.IPv4Address) and (address.is_reserved or address.packed[0] == 0)
