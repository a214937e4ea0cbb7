"""Planned work: it changes what the logs say, and is no anomaly."""

from __future__ import annotations

from lab.events.base import Scene, maintenance
from lab.events.security import Attacker
from lab.topology import BY_NAME, CLIENTS, EBGP_LINKS, OSPF_LINKS, ROUTERS

_RELOADABLE = (("web1", "nginx"), ("dns1", "dnsmasq"), ("gw1", "keepalived"), ("gw2", "keepalived"))
_RESTARTABLE = (
    ("web1", "nginx"), ("dns1", "dnsmasq"), ("srv1", "sshd"), ("srv1", "cron"),
    ("fw1", "ulogd"), ("web1", "chronyd"), ("srv1", "chronyd"),
)  # fmt: skip


@maintenance("maintenance", (5, 10), "the daemon's lines of a reload")
def config_reload(scene: Scene) -> None:
    """A daemon is told to read its configuration again (SIGHUP)."""
    host, daemon = scene.rng.choice(_RELOADABLE)
    scene.label([host], [], daemon=daemon)
    scene.network.supervisorctl(host, "signal", "HUP", daemon)
    scene.wait()


@maintenance("maintenance", (5, 10), "supervisord waiting for ... to stop, stopped, spawned")
def service_restart(scene: Scene) -> None:
    """An administrator logs in and restarts a service properly."""
    host, daemon = scene.rng.choice(_RESTARTABLE)
    scene.label([host], [], daemon=daemon)
    scene.network.supervisorctl(host, "restart", daemon)
    scene.wait()


@maintenance("maintenance", (5, 10), "nginx signal process lines, new files")
def log_rotation(scene: Scene) -> None:
    """Logs are rotated: nginx and the host's syslog-ng open their files anew."""
    scene.label(["web1"])
    scene.network.supervisorctl("web1", "signal", "USR1", "nginx")
    scene.network["web1"].shell("kill -HUP $(cat /run/syslog-ng.pid)")
    scene.wait()


@maintenance("maintenance", (20, 40), "routes move; few lines, no lost neighbours")
def link_drain(scene: Scene) -> None:
    """A link is drained before work on it: its OSPF cost is raised, later lowered."""
    link = scene.rng.choice(OSPF_LINKS)
    scene.label(link.hosts, ROUTERS, link="-".join(link.hosts))
    try:
        for end in (link.a, link.b):
            scene.network.configure(end.host, f"interface {end.interface}", "ip ospf cost 60000")
        scene.wait()
    finally:
        for end in (link.a, link.b):
            scene.network.configure(end.host, f"interface {end.interface}", "no ip ospf cost")


@maintenance("maintenance", (20, 40), "bgpd Administrative Shutdown, later %ADJCHANGE Up")
def bgp_graceful_shutdown(scene: Scene) -> None:
    """A provider session is drained (RFC 8326), shut with a message, and opened again."""
    link = scene.rng.choice(EBGP_LINKS)
    near, far = link.a, link.b
    scene.label(link.hosts, ROUTERS, session=f"{near.ip}-{far.ip}")
    net = scene.network
    process = "router bgp 65001"
    try:
        net.configure(near.host, process, "bgp graceful-shutdown")
        scene.wait(6)
        shut = f"neighbor {far.ip} shutdown message planned work"
        net.configure(near.host, process, shut)
        scene.wait()
    finally:
        net.configure(near.host, process, f"no neighbor {far.ip} shutdown")
        net.configure(near.host, process, "no bgp graceful-shutdown")


@maintenance("maintenance", (10, 20), "Keepalived_vrrp changes state once and back")
def gateway_switch(scene: Scene) -> None:
    """The second gateway takes over while the first is worked on."""
    scene.label(["gw1"], ["gw2"])
    try:
        scene.network.supervisorctl("gw1", "stop", "keepalived")
        scene.wait()
    finally:
        scene.network.supervisorctl("gw1", "start", "keepalived")


@maintenance("maintenance", (15, 30), "many sshd Accepted publickey for deploy, sudo")
def rollout(scene: Scene) -> None:
    """A rollout: many key logins with sudo in short time, from the administrator's computer."""
    count = scene.rng.randint(6, 15)
    scene.label(["srv1", "web1"], ["fw1"], logins=count)
    admin = Attacker(scene.network, scene.rng, inside_share=1)
    admin.host = "pc1"
    for number in range(count):
        host = ("10.2.0.10", "10.2.0.80")[number % 2]
        admin.call("ssh", "deploy", None, "sudo -n /usr/bin/install -d /run/release", host)
        scene.wait(scene.rng.uniform(0.3, 1.5))
    scene.wait()


@maintenance("maintenance", (5, 10), "dhclient and syslog-ng of a client start anew")
def client_reboot(scene: Scene) -> None:
    """An office computer is switched off and on."""
    name = scene.rng.choice(CLIENTS)
    scene.label([name], ["dns1"], address=BY_NAME[name].address)
    host = scene.network[name]
    host.shell("kill $(cat /run/dhclient.pid) $(cat /run/syslog-ng.pid)")
    scene.wait(3)
    scene.network.start_forwarder(name)
    scene.wait(1)
    scene.network.start_dhcp_client(name)
    scene.wait()
