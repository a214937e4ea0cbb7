"""Hiding what a pipeline's ``spec.privacy`` names, in any text."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from typing import Final

from logwarden.api.log_pipeline import PrivateKind
from logwarden.privacy.credentials import hide_secrets
from logwarden.privacy.names import replace_names
from logwarden.privacy.pseudonyms import Pseudonyms
from logwarden.text.sensitive import EMAIL, IPV6, MAC, is_email, is_ip, user_names

# Also before a port, as tcpdump writes it (10.0.0.1.443); but not in an object id of SNMP.
_IPV4: Final = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?!\d|\.\d+\.\d)")
_NO_NAME: Final = re.compile(r"[\d.:]+|[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}", re.IGNORECASE)
# Names a role on every system and no person; models were trained to tell it apart.
_NOBODY: Final = frozenset({"root"})


class Privacy:
    """Replaces sensitive values. Safe to use from several threads.

    Parameters
    ----------
    kinds
        What is replaced.
    key
        Of the pseudonyms, see :class:`logwarden.privacy.pseudonyms.Pseudonyms`.
    """

    def __init__(self, kinds: Collection[PrivateKind], key: bytes) -> None:
        self._kinds = frozenset(kinds)
        self._names = Pseudonyms(key)

    def text(self, text: str) -> str:
        """Return a line, or any part of one, without what is hidden."""
        if "secret" in self._kinds:
            text = hide_secrets(text)
        users = self._users(text) if "user" in self._kinds else ()
        if "email" in self._kinds and "@" in text:
            text = EMAIL.sub(self._email, text)
        if "mac" in self._kinds:
            text = MAC.sub(lambda match: self._names.mac(match[0]), text)
        if "ip" in self._kinds:
            if ":" in text:
                text = IPV6.sub(self._long_address, text)
            text = _IPV4.sub(lambda match: self._names.ip(match[0]), text)
        # Wherever they stand in the line that gave them away.
        return replace_names(text, users, self._names.user) if users else text

    def line(self, line: bytes) -> bytes:
        """Return the bytes of a line without what is hidden; those that are not UTF-8 stay as they are."""
        return self.text(line.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")

    def _email(self, match: re.Match[str]) -> str:
        return self._names.email(match[0]) if is_email(match[0]) else match[0]

    def _long_address(self, match: re.Match[str]) -> str:
        """Return the pseudonym of an IPv6 address; of one that holds an IPv4 address, that one is for the next step."""
        if not is_ip(match[0]):
            return match[0]
        inner = ipaddress.IPv6Address(match[0]).ipv4_mapped
        return self._names.ip(match[0]) if inner is None else f"::ffff:{inner}"

    def _users(self, text: str) -> set[str]:
        return {name for name in user_names(text) if name.lower() not in _NOBODY and not _NO_NAME.fullmatch(name)}
