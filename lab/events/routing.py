"""Faults of links, OSPF and BGP."""

from __future__ import annotations

from lab.events.base import Scene, fault
from lab.topology import EBGP_LINKS, LINKS, OSPF_LINKS, ROUTERS, End, Link, loopback

ASN_TYPO = (65020, 65022, 65099, 65200, 64512)


def _pick_link(scene: Scene, links: tuple[Link, ...]) -> tuple[End, End]:
    """A link of `links`, seen from one of its routers."""
    link = scene.rng.choice(links)
    ends = [link.a, link.b]
    if link.b.host in ROUTERS:
        scene.rng.shuffle(ends)
    return ends[0], ends[1]


def _label_link(scene: Scene, near: End, far: End, **parameters: object) -> None:
    scene.label(
        [near.host, far.host],
        ROUTERS,
        interface=near.interface,
        side=near.host,
        link=f"{near.host}-{far.host}",
        **parameters,
    )


def _set_link(scene: Scene, end: End, state: str) -> None:
    scene.network[end.host].run("ip", "link", "set", end.interface, state)


_CORE = (*OSPF_LINKS, *EBGP_LINKS)


@fault("routing", (25, 60), "ospfd AdjChg, bgpd %ADJCHANGE Down / Up again and again")
def link_flap(scene: Scene) -> None:
    """An interface between routers goes down and up every few seconds."""
    near, far = _pick_link(scene, _CORE)
    down, up = scene.rng.uniform(1, 3), scene.rng.uniform(5, 11)
    _label_link(scene, near, far, down_seconds=round(down, 1), up_seconds=round(up, 1))
    while scene.left() > 0:
        _set_link(scene, near, "down")
        scene.wait(down)
        _set_link(scene, near, "up")
        scene.wait(up)


@fault("routing", (20, 55), "ospfd AdjChg, bgpd %ADJCHANGE Down Interface down, keepalived FAULT")
def link_down(scene: Scene) -> None:
    """A cable of a router fails and comes back at the end."""
    near, far = _pick_link(scene, LINKS[:7])
    _label_link(scene, near, far)
    try:
        _set_link(scene, near, "down")
        scene.wait()
    finally:
        _set_link(scene, near, "up")


@fault("routing", (25, 60), "bgpd %NOTIFICATION Hold Timer Expired, %ADJCHANGE Down")
def bgp_hold_timer_expiry(scene: Scene) -> None:
    """A filter between two BGP neighbours drops tcp/179 without a word."""
    near, far = _pick_link(scene, EBGP_LINKS)
    _label_link(scene, near, far)
    router = scene.network[near.host]
    rules = "".join(
        f"add rule inet lab {hook} {side}name {near.interface} tcp {port} 179 drop\n"
        for hook, side in (("input", "iif"), ("output", "oif"))
        for port in ("dport", "sport")
    )
    router.write(
        "/run/lab.nft",
        "add table inet lab\n"
        "add chain inet lab input { type filter hook input priority 0; }\n"
        "add chain inet lab output { type filter hook output priority 0; }\n" + rules,
    )
    try:
        router.run("nft", "-f", "/run/lab.nft", check=True)
        scene.wait()
    finally:
        router.run("nft", "delete", "table", "inet", "lab")


@fault("routing", (25, 60), "bgpd OPEN receipt failed / %NOTIFICATION Bad Peer AS")
def bgp_wrong_as(scene: Scene) -> None:
    """A router is configured with a wrong AS number for its neighbour."""
    near, far = _pick_link(scene, EBGP_LINKS)
    wrong = scene.rng.choice(ASN_TYPO)
    _label_link(scene, near, far, configured=wrong)
    own, right = (65002, 65001) if near.host == "r4" else (65001, 65002)
    try:
        scene.network.configure(near.host, f"router bgp {own}", f"neighbor {far.ip} remote-as {wrong}")
        scene.wait()
    finally:
        scene.network.configure(near.host, f"router bgp {own}", f"neighbor {far.ip} remote-as {right}")


@fault("routing", (25, 50), "bgpd %MAXPFX, %NOTIFICATION Maximum Number of Prefixes Reached")
def bgp_prefix_limit(scene: Scene) -> None:
    """The provider leaks many prefixes, more than its neighbours accept."""
    count = scene.rng.randint(45, 120)
    scene.label(["r4"], ROUTERS, prefixes=count)
    leaked = [f"172.16.{number}.0/24" for number in range(count)]
    family = ("router bgp 65002", "address-family ipv4 unicast")
    try:
        scene.network.configure("r4", *family, *(f"network {prefix}" for prefix in leaked))
        scene.wait()
    finally:
        scene.network.configure("r4", *family, *(f"no network {prefix}" for prefix in leaked))
        for router in ("r2", "r3"):
            scene.network.vtysh(router, "clear bgp ipv4 65002")


@fault("routing", (30, 60), "bgpd %NOTIFICATION Cease/Administrative Reset, many %ADJCHANGE")
def bgp_session_reset_storm(scene: Scene) -> None:
    """A faulty script resets all BGP sessions of a router again and again."""
    router = scene.rng.choice(ROUTERS)
    scene.label([router], ROUTERS, router=router)
    while scene.left() > 0:
        scene.network.vtysh(router, "clear bgp *")
        scene.wait(scene.rng.uniform(5, 10))


@fault("routing", (30, 60), "ospfd AdjChg stuck in ExStart, Packet[DD]: MTU ... larger than")
def ospf_mtu_mismatch(scene: Scene) -> None:
    """After an exchange of hardware one end of a link has a smaller MTU."""
    near, far = _pick_link(scene, OSPF_LINKS)
    mtu = scene.rng.choice((1280, 1400, 1450, 1476))
    _label_link(scene, near, far, mtu=mtu)
    router = scene.network[near.host]
    try:
        router.shell(
            f"ip link set {near.interface} down; ip link set {near.interface} mtu {mtu};ip link set {near.interface} up"
        )
        scene.wait()
    finally:
        router.run("ip", "link", "set", near.interface, "mtu", "1500")


def _change_interface(scene: Scene, wrong: list[str], right: list[str], **more: object) -> None:
    """Configure one end of an OSPF link wrongly for the time of the event."""
    near, far = _pick_link(scene, OSPF_LINKS)
    _label_link(scene, near, far, **more)
    try:
        scene.network.configure(near.host, f"interface {near.interface}", *wrong)
        scene.wait()
    finally:
        scene.network.configure(near.host, f"interface {near.interface}", *right)


@fault("routing", (25, 60), "ospfd ospf_read invalid Area ID, AdjChg Full -> Deleted")
def ospf_area_mismatch(scene: Scene) -> None:
    """One end of a link is put into another OSPF area."""
    area = scene.rng.randint(1, 20)
    wrong = ["no ip ospf area 0", f"ip ospf area {area}"]
    right = [f"no ip ospf area {area}", "ip ospf area 0"]
    _change_interface(scene, wrong, right, area=area)


@fault("routing", (25, 60), "ospfd auth-type mismatch, AdjChg InactivityTimer")
def ospf_auth_mismatch(scene: Scene) -> None:
    """One end of a link starts to authenticate, the other does not know the key."""
    if scene.rng.random() < 0.5:
        wrong = [
            "ip ospf authentication message-digest",
            f"ip ospf message-digest-key 1 md5 key{scene.rng.randrange(10**4)}",
        ]
        right = ["no ip ospf authentication", "no ip ospf message-digest-key 1"]
        _change_interface(scene, wrong, right, authentication="message-digest")
    else:
        wrong = ["ip ospf authentication", "ip ospf authentication-key secret"]
        right = ["no ip ospf authentication", "no ip ospf authentication-key"]
        _change_interface(scene, wrong, right, authentication="simple")


@fault("routing", (25, 60), "ospfd HelloInterval / RouterDeadInterval mismatch")
def ospf_timer_mismatch(scene: Scene) -> None:
    """One end of a link gets other hello and dead intervals."""
    hello = scene.rng.choice((3, 4, 5, 10))
    wrong = [f"ip ospf hello-interval {hello}", f"ip ospf dead-interval {hello * 4}"]
    right = ["ip ospf hello-interval 2", "ip ospf dead-interval 8"]
    _change_interface(scene, wrong, right, hello=hello)


@fault("routing", (30, 60), "ospfd and bgpd complain about an id that equals their own")
def duplicate_router_id(scene: Scene) -> None:
    """A router gets the router id of another one, in OSPF and BGP."""
    router, other = scene.rng.sample(("r1", "r2", "r3"), 2)
    scene.label([router], ROUTERS, router_id=loopback(other), of=other)

    def set_id(value: str) -> None:
        scene.network.configure(router, "router ospf", f"ospf router-id {value}")
        scene.network.configure(router, "router bgp 65001", f"bgp router-id {value}")
        # OSPF takes a new id only when its process starts afresh.
        scene.network.vtysh(router, "clear ip ospf process")

    try:
        set_id(loopback(other))
        scene.wait()
    finally:
        set_id(loopback(router))
