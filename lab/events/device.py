"""Faults of a device as a whole."""

from __future__ import annotations

from lab import configs
from lab.events.base import Scene, fault
from lab.topology import LOGGING_HOSTS, LOGHOST_ADDRESS

STORAGE = {
    # Host: the file systems that its daemons write to all the time.
    "web1": ("/var/cache/nginx", "/var/log"),
    "dns1": ("/var/log",),
    "srv1": ("/var/log",),
    "fw1": ("/var/log",),
}


@fault("device", (85, 130), "nothing: lines and -- MARK -- of the host stop arriving")
def silent_device(scene: Scene) -> None:
    """A device's logs no longer reach the collector."""
    host = scene.rng.choice([host.name for host in LOGGING_HOSTS])
    how = scene.rng.choice(("filter", "interface"))
    scene.label([host], [], how=how)
    machine = scene.network[host]
    try:
        if how == "filter":
            machine.write(
                "/run/silent.nft",
                "add table inet silent\n"
                "add chain inet silent output { type filter hook output priority 0; }\n"
                f"add rule inet silent output ip daddr {LOGHOST_ADDRESS} drop\n",
            )
            machine.run("nft", "-f", "/run/silent.nft", check=True)
        else:
            # Without the second command, hosts with a default route send by way of their router.
            machine.run("ip", "link", "set", "mgmt0", "down", check=True)
            machine.run("ip", "route", "add", "unreachable", LOGHOST_ADDRESS, check=True)
        scene.wait()
    finally:
        if how == "filter":
            machine.run("nft", "delete", "table", "inet", "silent")
        else:
            machine.run("ip", "route", "delete", "unreachable", LOGHOST_ADDRESS)
            machine.run("ip", "link", "set", "mgmt0", "up")


@fault("device", (30, 70), "header times far from the receive time, chronyd System clock wrong by")
def clock_jump(scene: Scene) -> None:
    """The clock of a host jumps by minutes or hours."""
    host = scene.rng.choice(configs.CLOCK_HOSTS)
    offset = scene.rng.choice((-86400, -7200, -3600, -300, 300, 3600, 7200, 31536000))
    scene.label([host], ["ntp1", "srv1", "web1"], offset_seconds=offset)
    machine = scene.network[host]
    rc = machine.path(configs.FAKETIME_RC)
    try:
        rc.write_text(f"{offset:+d}\n")
        scene.wait()
    finally:
        rc.write_text("+0\n")


@fault("device", (35, 75), "No space left on device (28) from nginx or from syslog-ng's local file")
def disk_full(scene: Scene) -> None:
    """The file system on which a daemon keeps its data or its log fills up."""
    host = scene.rng.choice(tuple(STORAGE))
    folder = scene.rng.choice(STORAGE[host])
    scene.label([host], ["fw1"] if host == "web1" else [], folder=folder)
    machine = scene.network[host]
    try:
        machine.shell(f"cat /dev/zero > {folder}/core.dump")
        scene.wait()
    finally:
        machine.shell(f"rm -f {folder}/core.dump")
