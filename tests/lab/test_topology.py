"""The tables of the network agree with each other."""

import ipaddress
from collections import Counter

import pytest

from lab import configs
from lab.day import busy_at, hour_at
from lab.topology import (
    BY_NAME,
    DEFAULT_ROUTES,
    HOSTS,
    LINKS,
    LOGGING_HOSTS,
    ROUTERS,
    SEGMENTS,
    VISITORS,
)

ENDS = [end for link in LINKS for end in (link.a, link.b)] + [end for segment in SEGMENTS.values() for end in segment]


def test_names_and_management_addresses_are_unique() -> None:
    assert len({host.name for host in HOSTS}) == len(HOSTS)
    assert len({host.address for host in HOSTS}) == len(HOSTS)


def test_every_end_is_on_a_known_host_and_used_once() -> None:
    assert all(end.host in BY_NAME for end in ENDS)
    assert max(Counter((end.host, end.interface) for end in ENDS).values()) == 1
    assert max(Counter(end.ip for end in ENDS).values()) == 1


def test_both_ends_of_a_cable_share_a_network() -> None:
    for link in LINKS:
        one, other = (ipaddress.ip_interface(end.address).network for end in (link.a, link.b))
        assert one == other


def test_default_routes_point_into_an_own_network() -> None:
    for host, gateway in DEFAULT_ROUTES.items():
        networks = [ipaddress.ip_interface(e.address).network for e in ENDS if e.host == host]
        assert any(ipaddress.ip_address(gateway) in network for network in networks)


def test_both_syslog_formats_and_transports_occur() -> None:
    assert {host.format for host in LOGGING_HOSTS} == {"rfc3164", "rfc5424"}
    assert {host.transport for host in LOGGING_HOSTS} == {"udp", "tcp"}


def test_visitors_come_from_documentation_addresses() -> None:
    assert all(address.startswith("203.0.113.") for address in VISITORS)


@pytest.mark.parametrize("router", ROUTERS)
def test_a_router_has_its_own_configuration(router: str) -> None:
    text = configs.frr(router)
    assert f"hostname {router}\n" in text
    assert ("router ospf" in text) == (router != "r4")
    assert text.count("router bgp") == 1


def test_supervised_hosts_have_programs() -> None:
    assert {host.name for host in LOGGING_HOSTS if host.supervised} == set(configs.PROGRAMS)


def test_the_day_is_quiet_at_night_and_busy_in_the_morning() -> None:
    assert hour_at(0, 6) == 6
    assert hour_at(720, 6) == 18
    assert busy_at(0, 3) < 0.2 < 0.9 < busy_at(0, 10)
