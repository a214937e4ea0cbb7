"""Everything that can happen: faults by area, and planned maintenance."""

from lab.events import device, maintenance, routing, security, services, vrrp
from lab.events.base import KINDS, Kind, Scene

HELD_OUT_KINDS = frozenset(
    {
        "bgp_wrong_as",
        "ospf_auth_mismatch",
        "vrrp_split",
        "dhcp_rogue_server",
        "daemon_crash_loop",
        "clock_jump",
        "http_scan",
        "disk_full",
    }
)
"""Kinds that training never sees; they occur only in test recordings."""

FAULTS = tuple(sorted(name for name, kind in KINDS.items() if kind.type == "fault"))
MAINTENANCE = tuple(sorted(name for name, kind in KINDS.items() if kind.type == "maintenance"))

__all__ = [
    "FAULTS", "HELD_OUT_KINDS", "KINDS", "MAINTENANCE", "Kind", "Scene",
    "device", "maintenance", "routing", "security", "services", "vrrp",
]  # fmt: skip
