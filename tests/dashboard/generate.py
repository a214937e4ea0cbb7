"""Fills a store with a plausible day of a small network, for working on the pages and for testing them.

    python -m tests.dashboard.generate STORE [--anomalies N] [--live]

With --live it goes on adding an anomaly every second, as a running detector does.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

from logwarden.api.record import (
    AnomalyRecord,
    Case,
    Evidence,
    EvidenceKind,
    LogLine,
    LogSource,
    Origin,
    Severity,
    Template,
    UnitKind,
)
from logwarden.explain import render
from logwarden.local.commands import sending
from logwarden.local.ports import Endpoint
from logwarden.outcome import ACTIVITY_SECONDS, Activity, Outcome, RejectedLine
from logwarden.store import ListenerStatus, Phase, PipelineStatus, Progress, Store

HOSTS = ("r1", "r2", "r3", "r4", "fw1", "web1", "dns1", "gw-a", "gw-b")
THRESHOLD = 0.62
NORMAL = (
    "ospfd[412]: [XYZ12] Packet[DD]: Neighbor 10.0.12.{n} Negotiation done (Master).",
    "sshd[{p}]: Accepted publickey for deploy from 10.0.50.{n} port {p} ssh2: ED25519 SHA256:kf8e",
    "systemd[1]: Started Session {n} of user deploy.",
    "chronyd[331]: Selected source 10.0.50.{n}",
)


@dataclass(frozen=True)
class Fault:
    """One kind of fault: which lines it writes and what evidence the detector finds."""

    hosts: tuple[str, ...]
    app: str
    template: str
    line: str
    severity: Severity
    evidence: tuple[tuple[EvidenceKind, str, float, dict[str, str | int | float]], ...]
    channels: dict[str, float] = field(default_factory=dict)


FAULTS = (
    Fault(
        ("r1", "r2"),
        "bgpd",
        "bgpd: NOTIFICATION sent to neighbor IP HEX (Hold Timer Expired) NUM bytes",
        "bgpd[388]: [HZN6M-XRM1G] %NOTIFICATION: sent to neighbor 10.0.12.{n} 4/0 (Hold Timer Expired) 0 bytes",
        Severity.CRITICAL,
        (
            (EvidenceKind.NEVER_SEEN_TEMPLATE, "novelty", 0.97, {"app": "bgpd", "count": 2}),
            (EvidenceKind.MODEL_VERDICT, "text", 0.94, {"probability": 0.94, "other_messages": 2}),
        ),
        {"text": 0.94, "novelty": 0.97, "rate": 0.21},
    ),
    Fault(
        ("web1", "gw-a"),
        "sshd",
        "sshd: Failed password for invalid user USER from IP port NUM ssh2",
        "sshd[{p}]: Failed password for invalid user admin from 203.0.113.{n} port {p} ssh2",
        Severity.WARNING,
        (
            (EvidenceKind.BURST, "rate", 0.93, {"count": 214, "seconds": 60, "normal_count": 2}),
            (EvidenceKind.UNLIKELY_TEXT, "text", 0.58, {"loss": 3.9, "normal_loss": 1.1, "tokens": "invalid admin"}),
        ),
        {"text": 0.58, "novelty": 0.12, "rate": 0.93},
    ),
    Fault(
        ("dns1",),
        "dnsmasq-dhcp",
        "dnsmasq-dhcp: DHCPDISCOVER(eth0) MAC no address available",
        "dnsmasq-dhcp[702]: DHCPDISCOVER(eth0) 02:42:ac:11:00:{n} no address available",
        Severity.WARNING,
        (
            (EvidenceKind.NEVER_SEEN_ON_HOST, "novelty", 0.81, {"app": "dnsmasq-dhcp", "other_hosts": 1}),
            (EvidenceKind.BURST, "rate", 0.77, {"count": 48, "seconds": 30, "normal_count": 4}),
        ),
        {"text": 0.44, "novelty": 0.81, "rate": 0.77},
    ),
    Fault(
        ("gw-b",),
        "Keepalived_vrrp",
        "Keepalived_vrrp: (VI_1) Entering MASTER STATE",
        "Keepalived_vrrp[655]: (VI_1) Entering MASTER STATE",
        Severity.INFO,
        (
            (
                EvidenceKind.NEVER_SEEN_COMBINATION,
                "novelty",
                0.72,
                {"templates": "Entering MASTER STATE + Receive advertisement timeout", "normal_combinations": 318},
            ),
        ),
        {"text": 0.31, "novelty": 0.72, "rate": 0.18},
    ),
    Fault(
        ("fw1",),
        "",
        "",
        "",
        Severity.CRITICAL,
        ((EvidenceKind.SILENCE, "rate", 0.96, {"silent_seconds": 540, "normal_gap_seconds": 12}),),
        {"text": 0.0, "novelty": 0.05, "rate": 0.96},
    ),
)


def _lines(fault: Fault, start: datetime, first: int, host: str, dice: random.Random) -> list[LogLine]:
    lines = []
    for number in range(dice.randint(5, 12)):
        odd = bool(fault.line) and number % 3 == 2
        pattern = fault.line if odd else dice.choice(NORMAL)
        moment = start + timedelta(seconds=number * 2, milliseconds=dice.randint(0, 999))
        text = pattern.format(n=dice.randint(2, 250), p=dice.randint(1000, 60000))
        stamp = moment.strftime("%b %e %H:%M:%S")
        lines.append(
            LogLine(
                position=first + number, time=moment, text=f"<{dice.randint(20, 30)}>{stamp} {host} {text}", odd=odd
            )
        )
    return lines


def make_record(number: int, start: datetime, fault: Fault, case_id: str, *, from_file: bool = False) -> AnomalyRecord:
    """Return the record of one occurrence of a fault."""
    dice = random.Random(number)
    host = dice.choice(fault.hosts)
    template = Template(id=blake2b(fault.template.encode(), digest_size=6).hexdigest(), text=fault.template)
    facts = {"host": host} | ({"template": fault.template} if fault.template else {})
    first = number * 40
    lines = _lines(fault, start, first, host, dice)
    record = AnomalyRecord(
        id=blake2b(f"{number} {host}".encode(), digest_size=10).hexdigest(),
        pipeline="quickstart",
        revision="sha256-5c1e0d6f2a77",
        unit=UnitKind.WINDOW,
        start=start,
        end=start + timedelta(seconds=60),
        detected=start + timedelta(seconds=61),
        source=LogSource(host=host, address="10.0.50.7", app=fault.app or None, severity=3),
        origin=Origin(
            stream="file:/var/log/remote/network.log" if from_file else "netlogs-raw/0",
            first=first,
            last=first + len(lines) - 1,
            listener=None if from_file else "syslog-udp",
            received=None if from_file else lines[0].time,
        ),
        lines=lines,
        line_count=len(lines),
        template=template,
        score=round(min(0.99, max(fault.channels.values()) - dice.random() * 0.08), 3),
        threshold=THRESHOLD,
        severity=fault.severity,
        category=fault.evidence[0][0].value,
        channels=fault.channels,
        evidence=[
            Evidence(kind=kind, channel=channel, score=score, facts=facts | known)
            for kind, channel, score, known in fault.evidence
        ],
        case_id=case_id,
    )
    return record.model_copy(update={"explanation": render(record)})


def make_case(case_id: str, records: list[AnomalyRecord]) -> Case:
    """Return the case of some records."""
    worst = max(records, key=lambda item: list(Severity).index(item.severity))
    hosts = sorted({item.source.host for item in records})
    return Case(
        id=case_id,
        pipeline="quickstart",
        start=min(item.start for item in records),
        end=max(item.end for item in records),
        hosts=hosts,
        title=f"{', '.join(hosts)}: {worst.category.replace('_', ' ')} in {worst.source.app or 'all programs'}",
        severity=worst.severity,
        anomalies=len(records),
        suppressed=7 * len(records),
        score=max(item.score for item in records),
    )


def _activity(start: datetime, end: datetime, dice: random.Random) -> Iterator[Activity]:
    moment = int(start.timestamp()) // ACTIVITY_SECONDS * ACTIVITY_SECONDS
    while moment < end.timestamp():
        for index, host in enumerate(HOSTS):
            yield Activity(moment, host, dice.randint(4, 12) + 3 * index)
        moment += ACTIVITY_SECONDS


def day(anomalies: int, *, end: datetime | None = None, hours: float = 6, seed: int = 7) -> Outcome:
    """Return what a detector would have found in the last hours."""
    dice = random.Random(seed)
    end = end or datetime.now(UTC)
    start = end - timedelta(hours=hours)
    outcome = Outcome(activity=list(_activity(start, end, dice)))
    outcome.lines = sum(item.lines for item in outcome.activity)
    outcome.units = outcome.lines // 40
    cases: dict[str, list[AnomalyRecord]] = {}
    for number in range(anomalies):
        group = number // 4
        fault = FAULTS[group % len(FAULTS)]
        moment = start + (end - start) * ((group * 4 + 2) / anomalies) + timedelta(seconds=75 * (number % 4))
        record = make_record(number, min(moment, end), fault, f"case{group:04d}", from_file=group % 3 == 2)
        cases.setdefault(f"case{group:04d}", []).append(record)
        outcome.records.append(record)
    outcome.cases = [make_case(case_id, records) for case_id, records in cases.items()]
    outcome.rejected = [RejectedLine("netlogs-raw/0", 77, end.timestamp(), "10.0.50.9", "empty message", "<13>")]
    return outcome


def listening(phase: Phase = Phase.LISTENING, progress: Progress | None = None, detail: str = "") -> PipelineStatus:
    """Return the status that a pipeline with all three listeners publishes."""
    ports = [
        Endpoint("udp", "udp", "127.0.0.1", 5514, ""),
        Endpoint("tcp", "tcp", "127.0.0.1", 5514, ""),
        Endpoint("http", "http", "127.0.0.1", 8080, ""),
    ]
    commands = sending(ports, token=False, authority=None)
    return PipelineStatus(
        pipeline="quickstart",
        phase=phase,
        revision="sha256-5c1e0d6f2a77",
        listeners=tuple(
            ListenerStatus(name=one.name, protocol=one.protocol, address=one.host, port=one.port, command=command)
            for one, command in zip(ports, commands, strict=True)
        ),
        progress=progress,
        detail=detail,
    )


def add_live(store: Store, number: int) -> AnomalyRecord:
    """Add one anomaly that happens now, as a detector would; return it."""
    now = datetime.now(UTC)
    case_id = f"live{number:04d}"
    record = make_record(10_000 + number, now, FAULTS[number % len(FAULTS)], case_id)
    outcome = Outcome(records=[record], cases=[make_case(case_id, [record])], lines=400, units=10)
    store.commit(outcome, consumer="quickstart", positions={"netlogs-raw/0": 100_000 + number})
    return record


def main() -> None:
    """Fill the store that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store")
    parser.add_argument("--anomalies", type=int, default=60)
    parser.add_argument("--live", action="store_true")
    options = parser.parse_args()
    with Store.open(options.store) as store:
        store.commit(day(options.anomalies), consumer="quickstart", positions={"netlogs-raw/0": 100_000})
        store.set_status(listening())
        number = 0
        while options.live:
            time.sleep(1)
            number += 1
            add_live(store, number)
            store.set_status(listening())


if __name__ == "__main__":
    main()
