"""Life on one host: what its people and programs do, following the hour of the day."""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from lab.day import busy_at
from lab.topology import OUTSIDE, VISITORS, interface_address

WEB = interface_address("web1", "dmz")
LOGIN = interface_address("srv1", "dmz")
NAME_SERVER = interface_address("dns1", "lan")
NAMES = (
    "www.example.net", "mail.example.net", "cdn.example.net", "api.example.net",
    "updates.example.net", "web1.corp.example", "srv1.corp.example", "ntp1.corp.example",
    "static.example.net", "login.example.net", "img.example.net",
)  # fmt: skip
PAGES = ("/", "/index.html", "/about.html", "/team.html", "/news.html", "/prices.html")
APPLICATION = ("/app/orders", "/app/stock", "/app/report")
BROWSERS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/120.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 13_4) AppleWebKit/605.1.15 Safari/605.1.15",
    "curl/7.88.1",
)
CHORES = (
    "uptime", "df -h /", "ls -l", "sudo -n cat /etc/hostname", "sudo -n ls /var/log",
    "sudo -n /usr/bin/id", "tail -n 1 /etc/hosts",
)  # fmt: skip
SSH_OPTIONS = (
    "-F", "/dev/null",
    "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
    "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=5", "-o", "NumberOfPasswordPrompts=1",
)  # fmt: skip


@dataclass(frozen=True)
class Habit:
    """Something done about `per_minute` times at the busiest hour."""

    per_minute: float
    act: Callable[[random.Random], None]
    floor: float = 0.0
    """Share of the load that stays at night, for programs that do not sleep."""


def ask_name(name: str, kind: int = 1, server: str = NAME_SERVER, timeout: float = 2.0) -> int:
    """Ask for a name over UDP; returns the response code, or -1 without an answer."""
    question = b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + b"\0"
    packet = struct.pack(">6H", random.randrange(65536), 0x100, 1, 0, 0, 0) + question
    packet += struct.pack(">2H", kind, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(timeout)
        try:
            sock.sendto(packet, (server, 53))
            return sock.recv(1500)[3] & 15
        except OSError:
            return -1


def fetch(
    path: str,
    agent: str,
    source: str | None = None,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
    timeout: float = 4.0,
) -> int:
    """Load a page from the web server; returns the status, or 0 without an answer."""
    bind = (source, 0) if source else None
    connection = http.client.HTTPConnection(WEB, 80, timeout=timeout, source_address=bind)
    try:
        everything = {"User-Agent": agent, "Host": "web1.corp.example"} | (headers or {})
        connection.request(method, path, body=body, headers=everything)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def ssh(
    user: str,
    password: str | None,
    command: str,
    host: str = LOGIN,
    source: str | None = None,
    timeout: float = 15.0,
) -> int:
    """Log in, run a command; with `password` None the administrator's key is used."""
    bind = ["-b", source] if source else []
    if password is None:
        argv = ["ssh", "-i", "/run/admin_key", "-o", "BatchMode=yes"]
    else:
        argv = ["sshpass", "-e", "ssh", "-o", "PubkeyAuthentication=no"]
    argv += [*SSH_OPTIONS, *bind, f"{user}@{host}", command]
    try:
        return subprocess.run(
            argv,
            env=os.environ | {"SSHPASS": password or ""},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            check=False,
        ).returncode
    except subprocess.TimeoutExpired:
        return 124


def touch_port(address: str, port: int, source: str | None = None) -> None:
    """Try to open a TCP connection and close it again."""
    with socket.socket() as sock:
        sock.settimeout(1.0)
        try:
            if source:
                sock.bind((source, 0))
            sock.connect((address, port))
        except OSError:
            pass


def _browse(source: str | None) -> Callable[[random.Random], None]:
    """A visit: a few pages, now and then a redirect, a cached or a missing one."""

    def visit(rng: random.Random) -> None:
        agent = rng.choice(BROWSERS)
        address = rng.choice(VISITORS[:30]) if source == OUTSIDE else None
        for _ in range(rng.randint(1, 4)):
            chance = rng.random()
            if chance < 0.72:
                fetch(rng.choice(PAGES), agent, address)
            elif chance < 0.84:
                since = {"If-Modified-Since": "Thu, 31 Dec 2037 23:59:59 GMT"}
                fetch("/logo.png", agent, address, headers=since)
            elif chance < 0.90:
                fetch("/old", agent, address)
            elif chance < 0.97:
                fetch(rng.choice(APPLICATION), agent, address)
            else:
                fetch(rng.choice(("/favicon.ico", "/robots.txt", "/news.htm")), agent, address)
            time.sleep(rng.uniform(0.2, 1.5))

    return visit


def _resolve(rng: random.Random) -> None:
    name = rng.choice(NAMES)
    if rng.random() < 0.04:
        name = rng.choice(("wpad.corp.example", "ww.example.net.test", "printer.corp.example"))
    ask_name(name, 28 if rng.random() < 0.2 else 1)


def _use_application(rng: random.Random) -> None:
    fetch(rng.choice(APPLICATION), rng.choice(BROWSERS[:3]))


def _log_in(passwords: dict[str, str]) -> Callable[[random.Random], None]:
    """A person logs in and does something; one in eight mistypes the password first."""

    def session(rng: random.Random) -> None:
        user = rng.choice(("alice", "bob", "carol"))
        host = LOGIN if rng.random() < 0.8 else WEB
        if rng.random() < 0.12:
            ssh(user, passwords[user][:-1], "true", host)
            time.sleep(rng.uniform(0.5, 2))
        ssh(user, passwords[user], rng.choice(CHORES), host)

    return session


def _deploy(rng: random.Random) -> None:
    ssh("deploy", None, rng.choice(CHORES), rng.choice((LOGIN, WEB)))


def _noise(rng: random.Random) -> None:
    """The background of the internet: single packets to closed ports."""
    target = rng.choice((WEB, LOGIN, interface_address("ntp1", "dmz")))
    port = rng.choice((23, 445, 3389, 8080, 5060, 1433, 2323, 6379))
    touch_port(target, port, rng.choice(VISITORS[30:]))


def habits(host: str, passwords: dict[str, str]) -> list[Habit]:
    """What happens on a host."""
    if host == OUTSIDE:
        return [Habit(14, _browse(OUTSIDE), 0.3), Habit(5, _noise, 0.8)]
    common = [
        Habit(26, _resolve, 0.1),
        Habit(7, _browse(None)),
        Habit(5, _use_application, 0.05),
        Habit(2.2, _log_in(passwords), 0.02),
    ]
    if host == "pc1":
        common.append(Habit(2.5, _deploy, 0.3))
    return common


def live(host: str, seed: int, day_start: float, first_hour: float) -> None:
    """Follow the habits of a host until stopped."""
    passwords = json.loads(os.environ.get("LAB_PASSWORDS", "{}"))
    rng = random.Random(f"{seed}/{host}")
    plan = habits(host, passwords)
    with ThreadPoolExecutor(12) as pool:
        running = 0
        while True:
            busy = busy_at(time.time() - day_start, first_hour)
            rates = [habit.per_minute / 60 * max(busy, habit.floor) for habit in plan]
            time.sleep(min(rng.expovariate(sum(rates)), 30))
            # A network that does not answer must not pile up work for later.
            running = pool._work_queue.qsize()
            if running < 24:
                habit = rng.choices(plan, rates)[0]
                pool.submit(habit.act, random.Random(rng.random()))


# What attackers do; the events of lab.events.security call these on the attacker's host.


def _paced(seconds: float, rate: float) -> Iterator[None]:
    """Yield about `rate` times a second for `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(random.expovariate(rate))


def flood(seconds: float, rate: float, sources: Sequence[str]) -> None:
    """Load pages at a high rate from several addresses."""
    with ThreadPoolExecutor(16) as pool:
        for _ in _paced(seconds, rate):
            pool.submit(fetch, random.choice(PAGES), BROWSERS[0], random.choice(sources))


def scan_paths(seconds: float, rate: float, paths: Sequence[str], agent: str, source: str) -> None:
    """Ask for one path after the other."""
    for number, _ in enumerate(_paced(seconds, rate)):
        fetch(paths[number % len(paths)], agent, source)


def ask_random_names(seconds: float, rate: float, seed: int) -> None:
    """Ask for names that a generator made up."""
    rng = random.Random(seed)
    for _ in _paced(seconds, rate):
        letters = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=rng.randint(9, 18)))
        ask_name(f"{letters}.{rng.choice(('test', 'info.test', 'biz.test'))}", timeout=0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--day-start", type=float, required=True)
    parser.add_argument("--first-hour", type=float, required=True)
    given = parser.parse_args()
    live(given.host, given.seed, given.day_start, given.first_hour)


if __name__ == "__main__":
    main()
