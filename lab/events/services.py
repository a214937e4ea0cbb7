"""Faults of the services: names, addresses, web, time, and daemons that die."""

from __future__ import annotations

import sys

from lab.events.base import Scene, fault
from lab.namespace import own_repository
from lab.topology import CLIENTS, OUTSIDE, ROUTERS, interface_address

CRASHABLE = (
    ("web1", "nginx"), ("dns1", "dnsmasq"), ("srv1", "sshd"), ("ntp1", "chronyd"),
    ("fw1", "ulogd"), ("gw1", "keepalived"), ("srv1", "cron"), ("r1", "ospfd"),
    ("r2", "bgpd"), ("r3", "bgpd"), ("r3", "ospfd"), ("r4", "bgpd"),
)  # fmt: skip
_DEPENDENTS = {
    "web1": ["fw1"],
    "dns1": list(CLIENTS),
    "srv1": ["web1"],
    "ntp1": ["srv1", "web1"],
    "gw1": ["gw2"],
}


def _affected_by(host: str) -> list[str]:
    return list(ROUTERS) if host in ROUTERS else _DEPENDENTS.get(host, [])


@fault("services", (25, 60), "dnsmasq config error is SERVFAIL/REFUSED, repeated queries")
def dns_failure_storm(scene: Scene) -> None:
    """The provider's name server dies or refuses, and clients ask again and again."""
    refuse = scene.rng.random() < 0.5
    client = scene.rng.choice(CLIENTS)
    scene.label(["dns1"], ["fw1"], upstream="refuses" if refuse else "dead", client=client)
    outside = scene.network[OUTSIDE]
    try:
        if refuse:
            scene.network.start_outside_dns(refuse=True)
        else:
            outside.shell("kill $(cat /run/dns.pid)")
        while scene.left() > 0:
            scene.network[client].run(
                "dig", "+tries=3", "+time=1", f"@{interface_address('dns1', 'lan')}",
                scene.rng.choice(("www", "mail", "api", "updates")) + ".example.net",
            )  # fmt: skip
            scene.wait(0.3)
    finally:
        scene.network.start_outside_dns()


@fault("services", (30, 60), "dnsmasq-dhcp DHCPDISCOVER from new addresses, no address available")
def dhcp_exhaustion(scene: Scene) -> None:
    """A client takes all addresses under made-up hardware addresses."""
    name = scene.rng.choice(CLIENTS)
    rate = scene.rng.choice((2, 4, 8))
    scene.label(["dns1"], [], source=name, rate=rate)
    script = (
        f"cd {own_repository()} && exec {sys.executable} -m lab.dhcp --seconds {scene.left()} "
        f"--rate {rate} --server {interface_address('dns1', 'lan')} --interface eth1"
    )
    # The host's own client owns the port; it steps aside meanwhile, as on a taken-over host.
    scene.network[name].shell("kill $(cat /run/dhclient.pid)")
    try:
        scene.network[name].run("bash", "-c", script, timeout=scene.seconds + 30)
    finally:
        scene.network.start_dhcp_client(name)


@fault("services", (30, 70), "dhclient offered / bound to foreign addresses, dnsmasq-dhcp wrong server-ID")
def dhcp_rogue_server(scene: Scene) -> None:
    """A second DHCP server answers in the office network, faster than the right one."""
    rogue, *victims = scene.rng.sample(CLIENTS, 3)
    own = interface_address(rogue, "lan")
    scene.label([rogue], ["dns1", *victims], rogue=own)
    host = scene.network[rogue]
    host.write(
        "/run/rogue.conf",
        "port=0\nuser=root\ninterface=eth1\nbind-interfaces\nlog-facility=/dev/null\n"
        "pid-file=/run/rogue.pid\ndhcp-leasefile=/run/rogue.leases\ndhcp-authoritative\n"
        f"dhcp-option=option:router,{own}\ndhcp-range=10.1.0.150,10.1.0.180,2m\n",
    )
    try:
        host.run("dnsmasq", "-C", "/run/rogue.conf", check=True)
        while scene.left() > 0:
            # Computers are switched on during the fault, as they are all day.
            victim = scene.rng.choice(victims)
            scene.network[victim].shell("kill $(cat /run/dhclient.pid); rm /run/dhclient.leases")
            scene.network.start_dhcp_client(victim)
            scene.wait(scene.rng.uniform(8, 14))
    finally:
        host.shell("kill $(cat /run/rogue.pid)")
        for victim in victims:
            scene.network[victim].shell("kill $(cat /run/dhclient.pid); rm /run/dhclient.leases")
            scene.network.start_dhcp_client(victim)


@fault("services", (25, 60), "nginx connect() failed (111 / 110) while connecting to upstream, 502 / 504")
def http_5xx_burst(scene: Scene) -> None:
    """The application behind the web server hangs or is gone."""
    hang = scene.rng.random() < 0.5
    scene.label(["srv1", "web1"], ["fw1"], application="hangs" if hang else "gone")
    srv1 = scene.network["srv1"]
    try:
        if hang:
            srv1.shell("kill -STOP $(supervisorctl -c /etc/supervisor/lab.conf pid app)")
        else:
            scene.network.supervisorctl("srv1", "stop", "app")
        scene.wait()
    finally:
        if hang:
            srv1.shell("kill -CONT $(supervisorctl -c /etc/supervisor/lab.conf pid app)")
        else:
            scene.network.supervisorctl("srv1", "start", "app")


def _kill(scene: Scene, host: str, daemon: str, signal: str) -> None:
    """Send a signal to a daemon's main process, as its supervisor knows it."""
    if host in ROUTERS:
        pid = f"$(cat /run/frr/{daemon}.pid)"
    elif daemon == "nginx":
        # Its worker does the work, and crashes; without a master it would keep the port.
        pid = "$(pgrep -n -f '[n]ginx: worker')"
    else:
        pid = f"$(supervisorctl -c /etc/supervisor/lab.conf pid {daemon})"
    scene.network[host].shell(f'p={pid}; [ "$p" -gt 1 ] && kill -{signal} $p')


@fault(
    "services", (20, 40), "supervisord exited (terminated by SIG...), watchfrr state -> down, nginx exited on signal"
)
def daemon_crash(scene: Scene) -> None:
    """A daemon dies of a signal and is restarted by its supervisor."""
    host, daemon = scene.rng.choice(CRASHABLE)
    signal = scene.rng.choice(("SEGV", "ABRT", "BUS"))
    scene.label([host], _affected_by(host), daemon=daemon, signal=signal)
    _kill(scene, host, daemon, signal)
    scene.wait()


@fault("services", (35, 70), "the same crash again and again, supervisord exited / spawned")
def daemon_crash_loop(scene: Scene) -> None:
    """A daemon dies again a few seconds after each restart."""
    host, daemon = scene.rng.choice(CRASHABLE)
    signal = scene.rng.choice(("SEGV", "ABRT", "KILL"))
    pause = scene.rng.uniform(3, 7)
    scene.label([host], _affected_by(host), daemon=daemon, signal=signal, pause=round(pause, 1))
    while scene.left() > 0:
        _kill(scene, host, daemon, signal)
        scene.wait(pause)


@fault("services", (75, 100), "chronyd Can't synchronise: no selectable sources")
def ntp_unreachable(scene: Scene) -> None:
    """A time server can no longer be reached."""
    host = scene.rng.choice(("ntp1", "srv1", "web1"))
    scene.label([host], ["ntp1", "srv1", "web1"], host=host)
    machine = scene.network[host]
    machine.write(
        "/run/lab.nft",
        "add table inet lab\n"
        "add chain inet lab input { type filter hook input priority 0; }\n"
        "add rule inet lab input udp sport 123 drop\n",
    )
    try:
        machine.run("nft", "-f", "/run/lab.nft", check=True)
        scene.wait()
    finally:
        machine.run("nft", "delete", "table", "inet", "lab")


@fault("services", (20, 45), "nginx [emerg] unknown directive, dnsmasq / chronyd exit, supervisord FATAL")
def config_error(scene: Scene) -> None:
    """A configuration with a mistake is rolled out, and the daemon refuses it."""
    host, daemon, path, mistake, action = scene.rng.choice(
        (
            ("web1", "nginx", "/etc/nginx/lab.conf", "worker_proceses 2;\n", "HUP"),
            ("web1", "nginx", "/etc/nginx/lab.conf", "events { }\n", "HUP"),
            ("dns1", "dnsmasq", "/etc/dnsmasq.conf", "dhcp-rnge=10.1.0.9,10.1.0.10\n", "restart"),
            ("gw2", "keepalived", "/etc/keepalived/keepalived.conf", "vrrp_instnce a {\n", "HUP"),
            ("ntp1", "chronyd", "/etc/chrony/lab.conf", "sever 10.0.0.1 ibrust\n", "restart"),
            ("srv1", "sshd", "/etc/ssh/lab_sshd_config", "PermitRootLogn no\n", "HUP"),
        )
    )
    scene.label([host], _affected_by(host), daemon=daemon, mistake=mistake.strip())
    machine = scene.network[host]
    before = machine.path(path).read_text()
    try:
        machine.write(path, before + mistake)
        for _ in range(scene.rng.randint(1, 3)):
            if action == "HUP":
                scene.network.supervisorctl(host, "signal", "HUP", daemon)
            else:
                scene.network.supervisorctl(host, "restart", daemon)
            scene.wait(scene.rng.uniform(5, 9))
        scene.wait()
    finally:
        machine.write(path, before)
        if action == "HUP":
            scene.network.supervisorctl(host, "signal", "HUP", daemon)
        scene.network.supervisorctl(host, "start", daemon)
