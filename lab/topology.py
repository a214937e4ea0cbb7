"""Who is in the network, and how they are wired: plain data, nothing runs here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Transport = Literal["udp", "tcp"]
Format = Literal["rfc3164", "rfc5424"]

MANAGEMENT_PREFIX = "10.99.0"
LOGHOST_ADDRESS = f"{MANAGEMENT_PREFIX}.250"
VIRTUAL_ADDRESS = "10.1.0.1"
OUTSIDE = "ext1"
"""The one host that stands for the internet: it sends traffic and logs nothing."""


@dataclass(frozen=True)
class Host:
    """A machine of the network.

    Attributes
    ----------
    number
        Last byte of the address on the management network, from which logs are sent.
    daemons
        Programs whose lines a reader may expect.
    supervised
        Whether supervisord keeps the services (routers have FRR's watchfrr instead).
    """

    name: str
    number: int
    role: str
    daemons: tuple[str, ...]
    format: Format = "rfc3164"
    transport: Transport = "udp"
    supervised: bool = True
    logs: bool = True

    @property
    def address(self) -> str:
        return f"{MANAGEMENT_PREFIX}.{self.number}"


@dataclass(frozen=True)
class End:
    """One interface: its host, its name and its address with prefix length."""

    host: str
    interface: str
    address: str

    @property
    def ip(self) -> str:
        return self.address.partition("/")[0]


@dataclass(frozen=True)
class Link:
    """A cable between two interfaces."""

    a: End
    b: End

    @property
    def hosts(self) -> tuple[str, str]:
        return (self.a.host, self.b.host)


_FRR = ("zebra", "ospfd", "bgpd", "staticd", "watchfrr")

HOSTS: tuple[Host, ...] = (
    Host("r1", 1, "router", _FRR, supervised=False),
    Host("r2", 2, "router", _FRR, supervised=False),
    Host("r3", 3, "router", _FRR, format="rfc5424", supervised=False),
    Host("r4", 4, "router of the provider", _FRR, transport="tcp", supervised=False),
    Host("gw1", 11, "gateway", ("keepalived", "supervisord")),
    Host("gw2", 12, "gateway", ("keepalived", "supervisord")),
    Host("fw1", 20, "firewall", ("ulogd", "supervisord")),
    Host(
        "srv1",
        30,
        "login and application server",
        ("sshd", "sudo", "cron", "chronyd", "supervisord"),
        format="rfc5424",
    ),
    Host("dns1", 31, "DNS and DHCP server", ("dnsmasq", "supervisord")),
    Host(
        "web1",
        32,
        "web server",
        ("nginx", "sshd", "cron", "chronyd", "supervisord"),
        transport="tcp",
    ),
    Host("ntp1", 33, "time server", ("chronyd", "supervisord"), format="rfc5424"),
    Host("pc1", 41, "client", ("dhclient",), supervised=False),
    Host("pc2", 42, "client", ("dhclient",), format="rfc5424", supervised=False),
    Host("pc3", 43, "client", ("dhclient",), supervised=False),
    Host(OUTSIDE, 60, "the internet", (), supervised=False, logs=False),
    Host("loghost", 250, "log collector", ("syslog-ng",), supervised=False, logs=False),
)

BY_NAME = {host.name: host for host in HOSTS}
LOGGING_HOSTS = tuple(host for host in HOSTS if host.logs)
ROUTERS = ("r1", "r2", "r3", "r4")
INNER_ROUTERS = ("r1", "r2", "r3")
GATEWAYS = ("gw1", "gw2")
CLIENTS = ("pc1", "pc2", "pc3")


def _cable(a: str, a_if: str, b: str, b_if: str, network: str) -> Link:
    """A point-to-point link whose ends have the addresses .1 and .2."""
    return Link(End(a, a_if, f"{network}.1/30"), End(b, b_if, f"{network}.2/30"))


LINKS: tuple[Link, ...] = (
    _cable("r1", "eth1", "r2", "eth1", "10.0.12"),
    _cable("r2", "eth2", "r3", "eth1", "10.0.23"),
    _cable("r1", "eth2", "r3", "eth2", "10.0.13"),
    _cable("r3", "eth3", "r4", "eth1", "10.0.34"),
    _cable("r2", "eth3", "r4", "eth2", "10.0.24"),
    _cable("r1", "eth3", "gw1", "eth2", "10.0.111"),
    _cable("r2", "eth4", "gw2", "eth2", "10.0.112"),
    _cable("r3", "eth4", "fw1", "eth1", "10.0.103"),
)
OSPF_LINKS = LINKS[0:3]
EBGP_LINKS = LINKS[3:5]

SEGMENTS: dict[str, tuple[End, ...]] = {
    "lan": (
        End("gw1", "eth1", "10.1.0.2/24"),
        End("gw2", "eth1", "10.1.0.3/24"),
        End("dns1", "eth1", "10.1.0.53/24"),
        End("pc1", "eth1", "10.1.0.101/24"),
        End("pc2", "eth1", "10.1.0.102/24"),
        End("pc3", "eth1", "10.1.0.103/24"),
    ),
    "dmz": (
        End("fw1", "eth2", "10.2.0.1/24"),
        End("srv1", "eth1", "10.2.0.10/24"),
        End("web1", "eth1", "10.2.0.80/24"),
        End("ntp1", "eth1", "10.2.0.123/24"),
    ),
    "ext": (
        End("r4", "eth3", "203.0.113.1/24"),
        End(OUTSIDE, "eth1", "203.0.113.53/24"),
    ),
}
DEFAULT_ROUTES = {
    "gw1": "10.0.111.1",
    "gw2": "10.0.112.1",
    "fw1": "10.0.103.1",
    "dns1": VIRTUAL_ADDRESS,
    "pc1": VIRTUAL_ADDRESS,
    "pc2": VIRTUAL_ADDRESS,
    "pc3": VIRTUAL_ADDRESS,
    "srv1": "10.2.0.1",
    "web1": "10.2.0.1",
    "ntp1": "10.2.0.1",
    OUTSIDE: "203.0.113.1",
}
VISITORS = tuple(f"203.0.113.{number}" for number in range(100, 140))
"""Addresses of the outside host from which visitors (and attackers) come."""


def loopback(router: str) -> str:
    """Address of a router's loopback, which is its router id too."""
    return f"10.255.0.{BY_NAME[router].number}"


def mac_of(host: str) -> str:
    """Hardware address of a host's first data interface."""
    return f"02:00:5e:00:01:{BY_NAME[host].number:02x}"


def interface_address(host: str, segment: str) -> str:
    """Address of `host` on a shared segment."""
    return next(end.ip for end in SEGMENTS[segment] if end.host == host)
