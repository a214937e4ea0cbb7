"""The running network: wires the hosts, starts their daemons, knows when all is well."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

from lab import configs, supervisor
from lab.namespace import Namespace, own_repository
from lab.topology import (
    BY_NAME,
    CLIENTS,
    DEFAULT_ROUTES,
    GATEWAYS,
    HOSTS,
    INNER_ROUTERS,
    LINKS,
    LOGGING_HOSTS,
    OUTSIDE,
    ROUTERS,
    SEGMENTS,
    VIRTUAL_ADDRESS,
    VISITORS,
    interface_address,
    mac_of,
)

AGENT_HOSTS = (*CLIENTS, OUTSIDE)
SSH_HOSTS = ("srv1", "web1")


class Network:
    """All hosts of one instance.

    Parameters
    ----------
    folder
        Where the collector writes ``lines.log``.
    seed
        Decides passwords and the life on the hosts.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.seed = seed
        # Not a secret: the accounts exist only inside the namespaces.
        self.passwords = {
            user: f"{user[::-1]}-{random.Random(f'{seed}{user}').randrange(10**6)}" for user in configs.USERS
        }
        self.hosts: dict[str, Namespace] = {}
        self.background: list[subprocess.Popen[bytes]] = []

    def __getitem__(self, name: str) -> Namespace:
        return self.hosts[name]

    def start(self) -> None:
        """Bring up hosts, wires and daemons."""
        for host in HOSTS:
            share = self.folder if host.name == "loghost" else None
            self.hosts[host.name] = Namespace(host.name, share)
        for namespace in self.hosts.values():
            namespace.wait_booted()
        self._wire()
        self._start_collector()
        for host in LOGGING_HOSTS:
            self._prepare(host.name)
            self.start_forwarder(host.name)
        for host in LOGGING_HOSTS:
            self._start_services(host.name)
        self._start_outside()

    def stop(self) -> None:
        """End every host."""
        for namespace in self.hosts.values():
            namespace.stop()

    # Wiring

    def _wire(self) -> None:
        lines = [f"link add br-{name} type bridge" for name in (*SEGMENTS, "mgmt")]
        lines += [f"link set br-{name} up" for name in (*SEGMENTS, "mgmt")]
        for link in LINKS:
            lines.append(
                f"link add {link.a.interface} netns {self[link.a.host].pid} type veth "
                f"peer name {link.b.interface} netns {self[link.b.host].pid}"
            )
        plugs = [(f"m-{host.name}", host.name, "mgmt0", "mgmt", "") for host in HOSTS]
        for segment, ends in SEGMENTS.items():
            for end in ends:
                mac = f"address {mac_of(end.host)}"
                plugs.append((f"{segment}-{end.host}", end.host, end.interface, segment, mac))
        for plug, name, interface, segment, mac in plugs:
            lines += [
                f"link add {plug} type veth peer name {interface} {mac} netns {self[name].pid}",
                f"link set {plug} master br-{segment} up",
            ]
        _ip_batch([], lines)
        for host in HOSTS:
            _ip_batch(self[host.name].command([]), self._addresses(host.name))

    def _addresses(self, host: str) -> list[str]:
        lines = [f"addr add {BY_NAME[host].address}/24 dev mgmt0", "link set mgmt0 up"]
        ends = [end for link in LINKS for end in (link.a, link.b)]
        ends += [end for segment in SEGMENTS.values() for end in segment]
        for end in (end for end in ends if end.host == host):
            lines.append(f"addr add {end.address} broadcast + dev {end.interface}")
            lines.append(f"link set {end.interface} up")
        if host == OUTSIDE:
            lines += [f"addr add {address}/24 dev eth1" for address in VISITORS]
        if host in DEFAULT_ROUTES:
            lines.append(f"route add default via {DEFAULT_ROUTES[host]}")
        return lines

    # Daemons

    def _start_collector(self) -> None:
        loghost = self["loghost"]
        loghost.run("sysctl", "-q", "-w", "net.core.rmem_max=16777216")
        loghost.write("/etc/syslog-ng/lab.conf", configs.collector())
        self.background.append(_syslog_ng(loghost))
        deadline = time.monotonic() + 15
        while not loghost.path("/run/syslog-ng.ctl").exists():
            if time.monotonic() > deadline:
                raise RuntimeError("the collector's syslog-ng did not start")
            time.sleep(0.05)

    def start_forwarder(self, name: str) -> None:
        """Start a host's own syslog-ng."""
        extra = configs.faketime_environment() if name in configs.CLOCK_HOSTS else {}
        self.background.append(_syslog_ng(self[name], extra))

    def _prepare(self, name: str) -> None:
        """Write the files of a host before its daemons start."""
        host = self[name]
        host.write("/etc/hostname", f"{name}\n")
        host.write("/etc/hosts", f"127.0.0.1 localhost\n{BY_NAME[name].address} {name}\n")
        host.write("/etc/resolv.conf", configs.resolv_conf())
        host.write("/etc/syslog-ng/lab.conf", configs.forwarder(BY_NAME[name]))
        host.write(configs.FAKETIME_RC, "+0\n")
        if name in configs.PROGRAMS:
            host.write("/etc/supervisor/lab.conf", configs.supervisor(name))
        if name in ROUTERS:
            host.write("/etc/frr/daemons", configs.frr_daemons(), 0o640, "frr:frr")
            host.write("/etc/frr/frr.conf", configs.frr(name), 0o640, "frr:frr")
            host.write("/etc/frr/vtysh.conf", "", 0o640, "frr:frr")
        if name in GATEWAYS:
            host.write("/etc/keepalived/keepalived.conf", configs.keepalived(name))
        if name in SSH_HOSTS:
            self._prepare_login(name)
        self._prepare_service(name)

    def _prepare_service(self, name: str) -> None:
        host = self[name]
        if name == "fw1":
            host.write("/etc/ulogd.conf", configs.ulogd())
            host.write("/etc/nftables.lab", configs.nftables())
            host.run("nft", "-f", "/etc/nftables.lab", check=True)
        elif name == "dns1":
            host.write("/etc/dnsmasq.conf", configs.dnsmasq())
            host.path("/var/lib/misc").mkdir(parents=True, exist_ok=True)
        elif name == "ntp1":
            outside = interface_address(OUTSIDE, "ext")
            host.write("/etc/chrony/lab.conf", configs.chrony(outside, serve=True))
        elif name == "web1":
            host.write("/etc/nginx/lab.conf", configs.nginx())
            host.shell(
                "mkdir -p /var/www/lab /var/cache/nginx; cd /var/www/lab;"
                # A small file system of its own, which one event fills.
                "mount -t tmpfs -o size=512k tmpfs /var/cache/nginx;"
                'for p in index about team news prices; do echo "<h1>$p</h1>" > $p.html; done;'
                "head -c 9000 /dev/zero > logo.png"
            )
        elif name == "srv1":
            host.shell(
                "mkdir -p /var/www/app; cd /var/www/app;"
                "for p in orders stock report; do head -c 3000 /dev/zero > $p; done"
            )
        if name in SSH_HOSTS:
            host.write("/etc/chrony/lab.conf", configs.chrony(interface_address("ntp1", "dmz")))

    def _prepare_login(self, name: str) -> None:
        """Accounts, sshd and cron of a server."""
        host = self[name]
        for user in configs.USERS:
            host.run("useradd", "-M", "-d", f"/var/home/{user}", "-s", "/bin/bash", user)
        pairs = "\n".join(f"{user}:{word}" for user, word in self.passwords.items())
        host.write("/run/accounts", pairs + "\n", 0o600)
        host.shell(
            "chpasswd -c SHA512 -s 1000 < /run/accounts; rm /run/accounts;"
            "for u in alice bob carol deploy; do mkdir -p /var/home/$u;"
            "chown $u /var/home/$u; done; mkdir -p /etc/ssh/lab_keys /run/sshd;"
            "ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/lab_host_key;"
            "rm -f /etc/cron.d/*"
        )
        host.write("/etc/ssh/lab_sshd_config", configs.sshd())
        host.write("/etc/sudoers.d/lab", "alice,bob,deploy ALL=(ALL) NOPASSWD: ALL\n", 0o440)
        host.write("/etc/crontab", "", 0o644)
        host.write("/etc/cron.d/lab", configs.cron(name), 0o644)
        for path, script in configs.JOBS.items():
            host.write(path, script, 0o755)
        public = self._admin_key()
        host.write("/etc/ssh/lab_keys/deploy", public)

    def _admin_key(self) -> str:
        """Public half of the key with which pc1 logs in as deploy."""
        pc1 = self["pc1"]
        if not pc1.path("/run/admin_key.pub").exists():
            pc1.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/run/admin_key")
        return pc1.path("/run/admin_key.pub").read_text()

    def _start_services(self, name: str) -> None:
        host = self[name]
        deadline = time.monotonic() + 15
        while not host.path("/dev/log").exists():
            if time.monotonic() > deadline:
                raise RuntimeError(f"syslog-ng of {name} did not start")
            time.sleep(0.05)
        if name in ROUTERS:
            self.background.append(host.spawn("/usr/lib/frr/frrinit.sh", "start"))
        elif name in configs.PROGRAMS:
            host.run("/usr/bin/supervisord", "-c", "/etc/supervisor/lab.conf", check=True)
        elif name in CLIENTS:
            self.start_dhcp_client(name)

    def start_dhcp_client(self, name: str) -> None:
        """Start dhclient; the script that would set addresses is left out."""
        self[name].run(
            "dhclient", "-nw", "-sf", "/bin/true", "-pf", "/run/dhclient.pid",
            "-lf", "/run/dhclient.leases", "eth1",
        )  # fmt: skip

    def start_outside_dns(self, refuse: bool = False) -> None:
        """(Re)start the provider's name server."""
        outside = self[OUTSIDE]
        outside.write("/etc/dnsmasq.conf", configs.outside_dnsmasq(refuse))
        outside.shell("kill $(cat /run/dns.pid) 2>/dev/null; sleep 0.2")
        outside.run("dnsmasq", "-C", "/etc/dnsmasq.conf", check=True)

    def _start_outside(self) -> None:
        outside = self[OUTSIDE]
        outside.write("/etc/chrony/lab.conf", configs.chrony(None, serve=True))
        outside.run("/usr/sbin/chronyd", "-x", "-f", "/etc/chrony/lab.conf")
        self.start_outside_dns()

    def start_life(self, day_start: float, first_hour: float) -> None:
        """Start the people and programs that use the network."""
        for name in AGENT_HOSTS:
            words = json.dumps(self.passwords)
            argv = [
                sys.executable, "-m", "lab.agent", "--host", name, "--seed", str(self.seed),
                "--day-start", str(day_start), "--first-hour", str(first_hour),
            ]  # fmt: skip
            extra = {"LAB_PASSWORDS": words, "PYTHONPATH": own_repository()}
            self.background.append(self[name].spawn(*argv, extra=extra))

    # State

    def dropped_datagrams(self) -> int:
        """How many UDP messages the collector's kernel could not keep; 0 in a good recording."""
        table = Path(f"/proc/{self['loghost'].pid}/net/snmp").read_text().splitlines()
        names, numbers = (line.split() for line in table if line.startswith("Udp:"))
        return int(dict(zip(names, numbers, strict=True))["RcvbufErrors"])

    def vtysh(self, router: str, *commands: str) -> str:
        """Give a router commands of its shell, return what it shows."""
        flags = [part for command in commands for part in ("-c", command)]
        return self[router].run("vtysh", *flags).stdout

    def configure(self, router: str, *commands: str) -> None:
        """Change a router's running configuration."""
        self.vtysh(router, "configure terminal", *commands)

    def supervisorctl(self, name: str, *words: str) -> str:
        """Ask a host's supervisord."""
        return self[name].run("supervisorctl", "-c", "/etc/supervisor/lab.conf", *words).stdout

    def problems(self) -> list[str]:
        """What is not as it should be; empty when the network is normal."""
        found = []
        for router in ROUTERS:
            found += self._router_problems(router)
        for host in configs.PROGRAMS:
            found += self._service_problems(host)
            if "chronyd" in configs.PROGRAMS[host]:
                sources = self[host].run("chronyc", "-n", "-c", "sources").stdout
                found += [] if sources.startswith("^,*") else [f"{host}: no time source"]
        holders = [
            name for name in GATEWAYS if VIRTUAL_ADDRESS + "/" in self[name].run("ip", "-4", "-o", "addr").stdout
        ]
        if holders != ["gw1"]:
            found.append(f"virtual address at {holders}")
        return found

    def _service_problems(self, host: str) -> list[str]:
        try:
            states = supervisor.states(self[host].path("/run/supervisor.sock"))
        except OSError as error:
            return [f"{host}: supervisord does not answer: {error}"]
        return [f"{host}: {name} {state}" for name, state in states.items() if state != "RUNNING"]

    def _router_problems(self, router: str) -> list[str]:
        try:
            peers = json.loads(self.vtysh(router, "show bgp ipv4 unicast summary json"))["peers"]
        except (ValueError, KeyError):
            return [f"{router}: bgpd does not answer"]
        found = [
            f"{router}: BGP {peer} {state['state']}" for peer, state in peers.items() if state["state"] != "Established"
        ]
        if router in INNER_ROUTERS:
            full = self.vtysh(router, "show ip ospf neighbor").count("Full/")
            if full != 2:
                found.append(f"{router}: {full} OSPF neighbours of 2")
        return found

    def wait_normal(self, timeout: float) -> list[str]:
        """Wait until there are no problems; returns those left at the end of the time."""
        deadline = time.monotonic() + timeout
        while True:
            left = self.problems()
            if not left or time.monotonic() > deadline:
                return left
            time.sleep(2)


def _ip_batch(prefix: list[str], lines: list[str]) -> None:
    subprocess.run([*prefix, "ip", "-batch", "-"], input="\n".join(lines), text=True, check=True)


def _syslog_ng(host: Namespace, extra: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    host.path("/var/lib/syslog-ng").mkdir(parents=True, exist_ok=True)
    return host.spawn(
        "syslog-ng", "--foreground", "--no-caps", "--cfgfile", "/etc/syslog-ng/lab.conf",
        "--persist-file", "/run/syslog-ng.persist", "--pidfile", "/run/syslog-ng.pid",
        "--control", "/run/syslog-ng.ctl", extra=extra,
    )  # fmt: skip
