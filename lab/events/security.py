"""Attacks and scans."""

from __future__ import annotations

import json
import random
import sys
from concurrent.futures import ThreadPoolExecutor

from lab.events.base import Scene, fault
from lab.namespace import own_repository
from lab.network import Network
from lab.topology import CLIENTS, OUTSIDE, VISITORS, interface_address

ACCOUNTS = ("root", "admin", "alice", "bob", "carol", "deploy", "backup", "www-data")
GUESSES = (
    "admin", "test", "oracle", "postgres", "ubuntu", "pi", "git", "jenkins", "ftp", "guest",
    "user", "support", "nagios", "hadoop", "minecraft", "es", "tomcat", "svn", "dev", "mysql",
    "ansible", "vagrant", "zabbix", "info", "sales", "teamspeak", "steam", "odoo", "student",
)  # fmt: skip
SCANNED_PATHS = (
    "/.env", "/.git/config", "/wp-login.php", "/wp-admin/", "/phpmyadmin/", "/admin/", "/login",
    "/cgi-bin/test.cgi", "/etc/passwd", "/index.php?id=1%27%20OR%201=1", "/backup.zip",
    "/config.php.bak", "/server-status", "/.aws/credentials", "/actuator/health", "/api/v1/users",
    "/xmlrpc.php", "/shell.php", "/setup.php", "/console/", "/manager/html", "/solr/", "/jenkins/",
    "/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php", "/?s=../../../../etc/passwd",
    "/boaform/admin/formLogin", "/HNAP1/", "/owa/auth/logon.aspx", "/autodiscover/", "/db.sql",
    "/test.php", "/info.php", "/.DS_Store", "/id_rsa", "/old/", "/tmp/", "/dump.tar.gz",
)  # fmt: skip
SCANNERS = (
    "Mozilla/5.0 (compatible; Nmap Scripting Engine)", "sqlmap/1.7.2", "Nikto/2.5.0",
    "Mozilla/5.0 zgrab/0.x", "python-requests/2.31.0", "gobuster/3.5",
)  # fmt: skip


class Attacker:
    """A host from which attacks start, with its source address."""

    def __init__(self, network: Network, rng: random.Random, inside_share: float = 0.3) -> None:
        self.inside = rng.random() < inside_share
        self.host = rng.choice(CLIENTS) if self.inside else OUTSIDE
        self.address = interface_address(self.host, "lan") if self.inside else rng.choice(VISITORS)
        self._network = network

    def call(self, function: str, *arguments: object, **named: object) -> str:
        """Run a function of ``lab.agent`` on the attacker's host; returns what it printed."""
        code = (
            "import json, sys; from lab import agent; a = json.loads(sys.argv[1]);"
            "print(getattr(agent, a[0])(*a[1], **a[2]))"
        )
        call = json.dumps([function, arguments, named])
        script = f'cd {own_repository()} && exec "$0" -c "$1" "$2"'
        return self._network[self.host].run("bash", "-c", script, sys.executable, code, call, timeout=120).stdout

    def guess(self, user: str, password: str, target: str) -> None:
        """One login attempt."""
        self._network[self.host].run(
            "sshpass", "-p", password, "ssh", "-F", "/dev/null", "-b", self.address,
            "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
            "-o", "PubkeyAuthentication=no", "-o", "NumberOfPasswordPrompts=1",
            "-o", "ConnectTimeout=5", f"{user}@{target}", "true", timeout=20,
        )  # fmt: skip


def _passwords(rng: random.Random) -> str:
    return rng.choice(("123456", "password", "qwerty", "letmein", "admin", "root")) + str(rng.randrange(1000))


def _ssh_target(attacker: Attacker, rng: random.Random) -> str:
    """The firewall lets only the office reach the web server's sshd."""
    return rng.choice(("srv1", "web1")) if attacker.inside else "srv1"


def _attack_ssh(scene: Scene, users: tuple[str, ...], pause: float, workers: int) -> None:
    attacker = Attacker(scene.network, scene.rng)
    target = _ssh_target(attacker, scene.rng)
    scene.label(
        [target],
        [target, "fw1"],
        source=attacker.address,
        users=len(users),
        pause_seconds=round(pause, 2),
    )
    address = interface_address(target, "dmz")
    with ThreadPoolExecutor(workers) as pool:
        waiting: list[object] = []
        while scene.left() > 2:
            user = scene.rng.choice(users)
            waiting.append(pool.submit(attacker.guess, user, _passwords(scene.rng), address))
            scene.wait(pause * scene.rng.uniform(0.7, 1.3))


@fault("security", (25, 60), "sshd Failed password for ... from one address, FW-ACCEPT DPT=22")
def ssh_brute_force(scene: Scene) -> None:
    """Many passwords are tried for a few accounts, quickly."""
    users = tuple(scene.rng.sample(ACCOUNTS, scene.rng.randint(1, 3)))
    _attack_ssh(scene, users, pause=scene.rng.uniform(0.4, 1.0), workers=6)


@fault("security", (120, 180), "a sshd Failed password now and then, always from one address")
def ssh_slow_brute_force(scene: Scene) -> None:
    """Passwords are tried so slowly that no single minute looks unusual."""
    users = tuple(scene.rng.sample(ACCOUNTS, 2))
    _attack_ssh(scene, users, pause=scene.rng.uniform(8, 13), workers=2)


@fault("security", (25, 60), "sshd Invalid user ... from one address")
def ssh_user_enumeration(scene: Scene) -> None:
    """Login names are guessed that do not exist."""
    names = tuple(scene.rng.sample(GUESSES, scene.rng.randint(12, len(GUESSES))))
    _attack_ssh(scene, names, pause=scene.rng.uniform(0.5, 1.2), workers=6)


@fault("security", (20, 60), "ulogd FW-DROP with one SRC and many DPT, sshd: banner exchange")
def port_scan(scene: Scene) -> None:
    """nmap looks for open ports through the firewall."""
    attacker = Attacker(scene.network, scene.rng)
    rate = scene.rng.choice((8, 15, 30))
    style = scene.rng.choice(("-sS", "-sT", "-sS -sV"))
    ports = int(rate * scene.seconds / 3)
    scene.label(["fw1"], ["srv1", "web1", "ntp1"], source=attacker.address, rate=rate, style=style)
    scene.network[attacker.host].run(
        "nmap", "-n", "-Pn", *style.split(), "--max-rate", str(rate), "--max-retries", "0",
        "--top-ports", str(min(1000, ports)), "-S", attacker.address, "-e", "eth1",
        "--host-timeout", f"{int(scene.seconds)}s", "10.2.0.10", "10.2.0.80", "10.2.0.123",
        timeout=scene.seconds,
    )  # fmt: skip


@fault("security", (20, 45), "nginx access lines and ulogd FW-ACCEPT at many times their rate")
def http_flood(scene: Scene) -> None:
    """Visitors' addresses load the web server far more than usual."""
    rate = scene.rng.choice((15, 25, 40))
    sources = scene.rng.sample(VISITORS, scene.rng.randint(1, 12))
    scene.label(["web1"], ["fw1"], rate=rate, sources=len(sources))
    attacker = Attacker(scene.network, scene.rng, inside_share=0)
    attacker.call("flood", scene.left(), rate, sources)


@fault("security", (20, 50), "nginx 404 / 400 for paths that do not exist, open() ... failed")
def http_scan(scene: Scene) -> None:
    """A scanner asks the web server for well-known weak spots."""
    attacker = Attacker(scene.network, scene.rng)
    agent = scene.rng.choice(SCANNERS)
    paths = list(SCANNED_PATHS)
    scene.rng.shuffle(paths)
    rate = scene.rng.choice((1.5, 3, 8))
    scene.label(["web1"], ["fw1", "srv1"], source=attacker.address, agent=agent, rate=rate)
    attacker.call("scan_paths", scene.left(), rate, paths, agent, attacker.address)


@fault("security", (25, 60), "dnsmasq NXDOMAIN replies for random names from one client")
def dns_nxdomain_storm(scene: Scene) -> None:
    """Malware on a client looks for its control server under generated names."""
    name = scene.rng.choice(CLIENTS)
    rate = scene.rng.choice((2, 5, 10))
    scene.label(["dns1"], ["dns1", name], source=interface_address(name, "lan"), rate=rate)
    attacker = Attacker(scene.network, scene.rng, inside_share=1)
    attacker.host = name
    attacker.call("ask_random_names", scene.left(), rate, scene.rng.randrange(10**6))
