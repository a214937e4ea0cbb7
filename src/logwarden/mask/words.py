"""Masks of single words. Every rule looks at one word alone, so results can be cached by word."""

from __future__ import annotations

import re
from typing import Final

# Words with digits that are names, not values.
_NAMES: Final = frozenset(
    [
        "ssh1",
        "ssh2",
        "ipv4",
        "ipv6",
        "ip4",
        "ip6",
        "inet4",
        "inet6",
        "ospf2",
        "ospf3",
        "ospfv2",
        "ospfv3",
        "ospf6",
        "ospf6d",
        "rip2",
        "l2",
        "l3",
        "l4",
        "l7",
        "p2p",
        "2way",
        "2wayrcvd",
        "md4",
        "md5",
        "sha1",
        "sha2",
        "sha224",
        "sha256",
        "sha384",
        "sha512",
        "ed25519",
        "x25519",
        "curve25519",
        "nistp256",
        "nistp384",
        "nistp521",
        "aes128",
        "aes192",
        "aes256",
        "chacha20",
        "poly1305",
        "base64",
        "utf8",
        "utf16",
        "iso8859",
        "x86",
        "x64",
        "x509",
        "i386",
        "i686",
        "amd64",
        "arm64",
        "k8s",
        "s3",
        "ec2",
        "oauth2",
        "http2",
        "http3",
        "tls1",
        "tlsv1",
        "sslv2",
        "sslv3",
        "ext2",
        "ext3",
        "ext4",
        "fat32",
        "log4j",
        "slf4j",
        "e2e",
        "b2b",
        "i18n",
        "mod_jk2",
        "jk2",
        "mib2d",
        "3des",
        "rc4",
        "802",
        "10gbase",
        "100base",
        "1000base",
        "v1",
        "v2",
        "v3",
        "v4",
        "v6",
        "ikev1",
        "ikev2",
        "smbv1",
        "smb2",
        "pkcs11",
        "pkcs12",
        "nfsv3",
        "nfsv4",
        "nfs4",
        "snmpv2",
        "snmpv3",
        "h323",
        "dot1x",
        "8021x",
        "2d",
        "3d",
    ]
)

# Ports that say what was asked for; any other is as good as random.
_SERVICES: Final = (
    "20|21|22|23|25|53|67|68|69|80|88|110|111|123|135|137|138|139|143|161|162|179|389|443|445|465|500|514|587|636|993"
    "|995|1433|1521|1723|3306|3389|5060|5432|5900|6379|8080|8443|9200|27017"
)

_TOP_LEVEL: Final = (
    "com|net|org|edu|gov|mil|int|info|biz|arpa|local|localdomain|lan|lab|internal|intranet|home|corp|test|example"
    "|invalid|onion|dev|app|cloud|xyz|top|site|online|club|shop"
    # Country codes, without those that are better known as file name extensions.
    "|(?!(?:py|so|rs|sh|js|ko|md|gz|go|cc|rb|db|ts|ps|mk|bz|id|cf|pm)(?![a-z]))[a-z]{2}"
)
_HEX4: Final = "[0-9A-Fa-f]{1,4}"
_IPV4: Final = r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}"

_HEX_PAIR: Final = "[0-9A-Fa-f]{2}"
_IPV6: Final = (
    rf"(?:{_HEX4}:){{7}}{_HEX4}"
    rf"|(?:{_HEX4}(?::{_HEX4}){{0,6}})?::(?:{_HEX4}(?::{_HEX4}){{0,6}})?(?::?{_IPV4})?"
)
_LINUX_INTERFACE: Final = (
    r"(?:[a-z][a-z0-9]{0,15}-){0,4}(?:eth|ens|eno|enp|veth|br|bond|team|wlan|wlp|tun|tap|vlan|vxlan|vrrp|dummy|docker|virbr|ppp"
    r"|wg|em|irb|ae|fxp|macvlan)[-.]?\d\w*(?:[./@:]\w*\d\w*)*(?!\w)"
)
_JUNOS_INTERFACE: Final = r"(?:ge|xe|et|fe|so|hu|gr|st|lt|mt|sp|vt)-\d+/\d+/\d+(?:[.:]\d+)*"
_CISCO_INTERFACE: Final = (
    r"(?:[A-Z][A-Za-z]*Eth(?:ernet)?|[A-Za-z]+GigE|[Ee]thernet|Vlan|[Pp]ort-[Cc]hannel|Loopback|Tunnel|Serial|Management"
    r"|mgmt|Gi|Te|Fa|Hu|Fo|Po|Eth|Et|et|Vl|Lo|Bundle-Ether)\d+(?:[/.:]\d+)*(?!\w)"
)
_NUMBER: Final = r"(?:\d{1,3}(?:,\d{3})+(?![\d,.:/-])|\d+(?:[.:]\d+)*)"
_UNIT: Final = r"(?:[mun]?s|sec|min|[hdw]|[kKMGT]?i?[bB]|[kKMG]|[kMG]?bps|[kMG]?bit)(?![A-Za-z0-9])"
_ISO_TIME: Final = r"[T_-]\d\d[:.]\d\d[:.]\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"

# Mask and the pattern it stands for, tried in this order at every position of a word. Names in lower case are rules
# with a function of their own. A pattern of unbounded length starts at a boundary only, so that long words stay cheap.
_RULES: Final[tuple[tuple[str, str], ...]] = (
    # A vendor's name for the kind of message: Cisco's mnemonic, FRR's message id. The status of a request.
    ("keep", r"^[:*.]*%[A-Za-z][\w-]*-\d-\w+|^\[[A-Z0-9]{5}-[A-Z0-9]{5}\]|^status=[1-5]\d\d(?=\W*$)"),
    ("keep", rf"(?<![A-Za-z])(?:DPT|dpt|dport|dstport|dst_port|destination-port)=\"?(?:{_SERVICES})(?!\w)"),
    ("URL", r"(?<![A-Za-z0-9])[A-Za-z][A-Za-z0-9+]{1,9}://[^\s\"'()\[\],;|]*"),
    ("SHA256:HASH", r"(?<![A-Za-z0-9])SHA256:[A-Za-z0-9+/=]{20,}"),
    ("UUID", r"(?<![0-9A-Za-z])[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}(?![0-9A-Za-z])"),
    ("MAC", rf"(?<![0-9A-Za-z]){_HEX_PAIR}(?:[:-]{_HEX_PAIR}){{5,}}(?![0-9A-Za-z])"),
    ("MAC", r"(?<![0-9A-Za-z])(?:[0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4}(?![0-9A-Za-z])"),
    ("DATE", rf"(?<!\d)\d{{4}}[-/.]\d\d?[-/.]\d\d?(?:{_ISO_TIME})?(?!\d)"),
    ("DATE", r"(?<!\d)\d\d?/[A-Z][a-z]{2}/\d{4}(?::\d\d:\d\d:\d\d)?(?!\d)"),
    ("TIME", r"(?<![\d:.])\d{1,3}:\d\d:\d\d(?:[.,]\d+)?(?![\d:])"),
    ("TIME", r"(?<![A-Za-z0-9])(?:\d+[wdhms]){2,}(?![A-Za-z0-9])"),
    ("IPV6", rf"(?<![0-9A-Za-z:])(?:{_IPV6})(?:%[\w.-]+)?(?![0-9A-Za-z])"),
    ("IP", rf"(?<![0-9])(?<!\d\.){_IPV4}(?!\.?\d|\.[A-Za-z][\w-]*\.)"),
    ("IFACE", rf"(?<![\w.-])(?:{_LINUX_INTERFACE}|{_JUNOS_INTERFACE}|{_CISCO_INTERFACE})"),
    ("HOST", rf"(?<![\w.@/-])(?:[A-Za-z0-9_-]+\.)+(?:{_TOP_LEVEL})(?!\.?[\w-])"),
    ("HEX", r"(?<![A-Za-z0-9])0[xX][0-9A-Fa-f]+(?![A-Za-z0-9])"),
    ("NUM", rf"(?<![A-Za-z0-9])(?:(?<![)\]-])[+-])?{_NUMBER}(?:(?![A-Za-z0-9])|(?={_UNIT}))"),
    ("run", r"(?<![A-Za-z0-9])[A-Za-z]*\d[A-Za-z0-9]*"),
    ("NUM", r"\d+(?:[.:]\d+)*"),
)
_PATTERN: Final = re.compile("|".join(f"(?P<g{index}>{pattern})" for index, (_, pattern) in enumerate(_RULES)))
_RULE_NAMES: Final = {f"g{index}": name for index, (name, _) in enumerate(_RULES)}

# Not the units of systemd, getty@tty1.service, nor cron's @daily.
_NO_UNIT: Final = r"(?![\w.-]*\.(?:service|socket|timer|target|slice|scope|mount)(?![\w.-]))"
_EMAIL: Final = re.compile(
    rf"(?<![\w.+-])[\w.+!#$%&*?-]{{1,64}}@{_NO_UNIT}[\w-]{{1,255}}(?:\.[\w-]{{1,63}})*"
    rf"|@{_NO_UNIT}[\w-]{{1,255}}(?:\.[\w-]{{1,63}})+"
)
_USER: Final = re.compile(
    r"(?<![A-Za-z])((?:[a-z]?user(?:name|id)?|logname|acct|account|login)=[\"']?)(?!root\b|\(|USER\b)([^\s;,\"'()\[\]]+)"
    r"|(/home/|/Users/)(?!USER\b)([^\s/;,\"'()]+)"
)
_UNKNOWN: Final = re.compile(r"[{}<>\\^`~]")
_DIGITS: Final = re.compile(r"\d+")
_CHANGES: Final = re.compile(r"(?<=[0-9])[A-Za-z]|(?<=[A-Za-z])[0-9]")
_HEX_RUN: Final = re.compile(r"(?=.*[A-Fa-f])[0-9A-Fa-f]{6,}")

MASK_WORDS: Final = (
    *("DATE", "EMAIL", "HASH", "HEX", "HOST", "ID", "IFACE", "IP", "IPV6"),
    *("MAC", "NUM", "PATH", "QUERY", "TIME", "URL", "USER", "UUID"),
)
"""What stands in a masked text for what varies."""

EMPTY: Final = "\0"
"""What a word becomes that holds nothing but characters the model cannot read."""

CACHE_SIZE: Final = 65_536
_KEPT_KEYS: Final = frozenset(("DPT", "dpt", "dport", "dstport", "status"))
_LONGEST_CACHED: Final = 128
_LONGEST_CACHED_NUMBER: Final = 3


class WordMasks(dict[str, str]):
    """Word to masked word, computed on first sight. Bounded; results do not depend on what was seen before."""

    def __missing__(self, word: str) -> str:
        # Long numbers are new in almost every line: they are recognised without the rules and not cached.
        key, equals, value = word.rpartition("=")
        if value.isdecimal() and (not equals or (key.isalpha() and key not in _KEPT_KEYS)):
            masked = f"{key}{equals}NUM"
            if len(value) > _LONGEST_CACHED_NUMBER:
                return masked
        else:
            masked = mask_word(word)
        if len(word) <= _LONGEST_CACHED:
            if len(self) >= CACHE_SIZE:
                self.clear()
            self[word] = masked
        return masked


def mask_word(word: str) -> str:
    """Mask one word: any text without white space. The result may be several words."""
    if not word.isprintable():
        word = "".join(char if char.isprintable() else " " for char in word)
    parts = _UNKNOWN.sub(" ", word).split()
    return " ".join(map(_mask_part, parts)) if parts else EMPTY


def _mask_part(part: str) -> str:
    if "@" in part:
        part = _EMAIL.sub("EMAIL", part)
    if "=" in part or "/" in part:
        part = _USER.sub(_user, part)
    return _PATTERN.sub(_replace, part)


def _user(match: re.Match[str]) -> str:
    return f"{match[1] or match[3]}USER"


def _replace(match: re.Match[str]) -> str:
    name = _RULE_NAMES[match.lastgroup or ""]
    if name == "keep":
        return match[0]
    return _mask_run(match[0]) if name == "run" else name


def _mask_run(run: str) -> str:
    """Mask letters and digits written together: a name, a hexadecimal value, a random id or a numbered name."""
    if run.lower() in _NAMES:
        return run
    if _HEX_RUN.fullmatch(run):
        return "HEX"
    changes = len(_CHANGES.findall(run))
    if (changes >= 4 and len(run) >= 8) or (changes >= 2 and len(run) >= 20):
        return "ID"
    return _DIGITS.sub("NUM", run)
