"""Faults of the pair of gateways."""

from __future__ import annotations

from lab.events.base import Scene, fault
from lab.topology import GATEWAYS, ROUTERS

_DROP = (
    "add table inet lab\n"
    "add chain inet lab input { type filter hook input priority 0; }\n"
    "add rule inet lab input iifname eth1 ip protocol vrrp drop\n"
)


@fault("vrrp", (25, 70), "Keepalived_vrrp Entering MASTER STATE on the second gateway too")
def vrrp_split(scene: Scene) -> None:
    """The second gateway no longer hears the first: both are MASTER."""
    scene.label(["gw2"], GATEWAYS)
    gateway = scene.network["gw2"]
    gateway.write("/run/lab.nft", _DROP)
    try:
        gateway.run("nft", "-f", "/run/lab.nft", check=True)
        scene.wait()
    finally:
        gateway.run("nft", "delete", "table", "inet", "lab")


@fault("vrrp", (30, 70), "Keepalived_vrrp FAULT / BACKUP / MASTER STATE changing quickly")
def vrrp_failover_flapping(scene: Scene) -> None:
    """The uplink of the first gateway flaps, and the mastership with it."""
    down, up = scene.rng.uniform(3, 5), scene.rng.uniform(4, 8)
    scene.label(["gw1"], ["gw2", "r1", *ROUTERS], down_seconds=round(down, 1))
    gateway = scene.network["gw1"]
    try:
        while scene.left() > 0:
            gateway.run("ip", "link", "set", "eth2", "down")
            scene.wait(down)
            _raise_uplink(scene)
            scene.wait(up)
    finally:
        _raise_uplink(scene)


def _raise_uplink(scene: Scene) -> None:
    # The kernel forgets routes through an interface that was down.
    scene.network["gw1"].shell("ip link set eth2 up; ip route replace default via 10.0.111.1")


@fault("vrrp", (30, 60), "Keepalived_vrrp received an invalid passwd / bogus VRRP packet")
def vrrp_auth_mismatch(scene: Scene) -> None:
    """After a change of configuration one gateway expects a password, the other sends none."""
    name = scene.rng.choice(GATEWAYS)
    scene.label([name], GATEWAYS, gateway=name)
    gateway = scene.network[name]
    path = "/etc/keepalived/keepalived.conf"
    before = gateway.path(path).read_text()
    secret = "  authentication {\n auth_type PASS\n auth_pass s3cret\n }\n  advert_int 1\n"
    try:
        gateway.write(path, before.replace("  advert_int 1\n", secret))
        scene.network.supervisorctl(name, "signal", "HUP", "keepalived")
        scene.wait()
    finally:
        gateway.write(path, before)
        scene.network.supervisorctl(name, "signal", "HUP", "keepalived")
