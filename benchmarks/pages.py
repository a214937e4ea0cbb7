"""How long the questions of a page take on a store of many anomalies: SQLite, and PostgreSQL where it is installed."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from logwarden.api.record import (
    AnomalyRecord,
    Evidence,
    EvidenceKind,
    Explanation,
    LogLine,
    LogSource,
    Origin,
    Severity,
    Template,
    UnitKind,
)
from logwarden.dashboard.charts import bucket_seconds
from logwarden.outcome import Activity, Outcome
from logwarden.store import AnomalyFilter, Store

PAGE = 100
MOST_COUNTED = 1_001
_BATCH = 1000
_HOSTS = 500
_REPEATS = 5
_START = datetime(2026, 3, 1, tzinfo=UTC)
_SEVERITIES = (Severity.INFO, Severity.WARNING, Severity.WARNING, Severity.CRITICAL)


def measure_pages(anomalies: int, runs: int) -> dict[str, float | int | str]:
    """Fill a store of each kind with ``anomalies`` records, and return the median milliseconds of each question."""
    values: dict[str, float | int | str] = {"anomalies": anomalies}
    for kind, place in (("sqlite", _sqlite), ("postgresql", _postgresql)):
        if kind == "postgresql" and (lack := _postgresql_lacks()):
            values[kind] = f"left out: {lack}"
            continue
        with place() as url, Store.open(url) as store:
            values[f"{kind}_records_written_per_second"] = _fill(store, anomalies)
            _maintain(url)
            for name, ask in _questions(store, anomalies).items():
                values[f"{kind}_{name}_ms"] = round(statistics.median(_times(ask, runs * _REPEATS)), 1)
    return values


def _maintain(url: str) -> None:
    """Let PostgreSQL do at once what its own maintenance does within minutes."""
    if url.startswith("postgresql"):
        import psycopg

        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")


def _times(ask: Callable[[], object], repeats: int) -> Iterator[float]:
    ask()  # as for a person who has been here before
    for _ in range(repeats):
        begun = time.perf_counter()
        ask()
        yield (time.perf_counter() - begun) * 1000


def _questions(store: Store, anomalies: int) -> dict[str, Callable[[], object]]:
    middle = _START + timedelta(seconds=anomalies // 2)
    last = _START + timedelta(seconds=anomalies)
    filters = {
        "newest_page": AnomalyFilter(),
        "page_of_a_host": AnomalyFilter(hosts=["host-7"]),
        "page_of_three_hosts": AnomalyFilter(hosts=["host-7", "host-8", "host-9"]),
        "page_of_a_program": AnomalyFilter(apps=["app-3"]),
        "page_of_a_severity": AnomalyFilter(severities=[Severity.CRITICAL]),
        "page_of_two_severities": AnomalyFilter(severities=[Severity.CRITICAL, Severity.WARNING]),
        "page_of_a_severity_a_host_never_has": AnomalyFilter(hosts=["host-4"], severities=[Severity.CRITICAL]),
        "page_of_a_week": AnomalyFilter(start=last - timedelta(days=7)),
        "page_of_high_scores": AnomalyFilter(min_score=0.95),
        "page_of_scores_nobody_has": AnomalyFilter(min_score=0.995),
        "page_of_the_middle": AnomalyFilter(end=middle),
        "page_of_a_case": AnomalyFilter(case_id="c7"),
        "search_a_rare_word": AnomalyFilter(text="needle-77"),
        "search_an_address": AnomalyFilter(text="10.7.7."),
        "search_a_word_in_all": AnomalyFilter(text="neighbor"),
        "search_a_word_in_all_of_a_severity": AnomalyFilter(text="neighbor", severities=[Severity.CRITICAL]),
        "search_nothing": AnomalyFilter(text="absent"),
    }
    sums: dict[str, Callable[[], object]] = {}
    for name, span in (("hour", timedelta(hours=1)), ("day", timedelta(days=1)), ("all", last - _START)):
        start = last - span
        step = bucket_seconds(start, last)
        sums[f"lines_of_{name}"] = partial(store.activity, start, None, bucket_seconds=step)
        sums[f"anomalies_of_{name}"] = partial(store.anomaly_counts, start, None, bucket_seconds=step)
        sums[f"hosts_of_{name}"] = partial(store.top_hosts, start, limit=8)
    return {
        **{name: partial(store.anomalies, matching, limit=PAGE) for name, matching in filters.items()},
        **{f"count_{name}": partial(store.count, matching, most=MOST_COUNTED) for name, matching in filters.items()},
        **sums,
        "totals": store.totals,
        "names_of_hosts": store.hosts,
        "names_of_programs": store.apps,
        "one_anomaly": lambda: store.anomaly(f"a{anomalies // 2:08d}"),
        "change_token": store.change_token,
    }


def _fill(store: Store, anomalies: int) -> int:
    begun = time.perf_counter()
    for first in range(0, anomalies, _BATCH):
        records = [_record(number) for number in range(first, min(first + _BATCH, anomalies))]
        begin = int(_START.timestamp()) + first
        activity = [Activity((begin + number) // 10 * 10, f"host-{number % _HOSTS}", 1) for number in range(_BATCH)]
        outcome = Outcome(records=records, activity=activity, lines=_BATCH)
        store.commit(outcome, consumer="benchmark", positions={"lines": first})
    return round(anomalies / (time.perf_counter() - begun))


def _record(number: int) -> AnomalyRecord:
    at = _START + timedelta(seconds=number)
    host = f"host-{number % _HOSTS}"
    # Odd numbers in the place of real addresses: some hundred records share the beginning of one.
    address = f"10.{number % 200}.{number // 7 % 200}.{number % 250}"
    rare = f" needle-{number // 1000}" if number % 1000 == 0 else ""
    text = f"<187>bgpd[71]: %NOTIFICATION sent to neighbor {address} (Hold Timer Expired){rare}"
    return AnomalyRecord(
        id=f"a{number:08d}",
        pipeline="bench",
        revision="cafe",
        unit=UnitKind.WINDOW,
        start=at,
        end=at + timedelta(seconds=30),
        detected=at + timedelta(seconds=31),
        source=LogSource(host=host, address=address, app=f"app-{number % 20}", severity=4),
        origin=Origin(stream="netlogs/0", first=number, last=number, listener="udp", received=at),
        lines=[LogLine(position=number, time=at, text=text, template="t1", odd=True)] * 3,
        line_count=3,
        template=Template(id="t1", text="bgpd: NOTIFICATION sent to neighbor IP"),
        score=0.5 + (number % 50) / 100,
        threshold=0.5,
        severity=_SEVERITIES[number % len(_SEVERITIES)],
        category="never_seen_template",
        channels={"text": 0.8, "novelty": 1.0},
        evidence=[Evidence(kind=EvidenceKind.NEVER_SEEN_TEMPLATE, channel="novelty", score=1.0, facts={"count": 1})],
        explanation=Explanation(text="This template was never seen.", backend="plain", faithful=True),
        case_id=f"c{number // 100}",
    )


def _postgresql_lacks() -> str | None:
    from tests.services import postgres

    return postgres.obstacle()


@contextmanager
def _sqlite() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        yield str(Path(folder, "s.db"))


@contextmanager
def _postgresql() -> Iterator[str]:
    """Start a server with its default settings, except that it does not wait for the disk at each commit."""
    from tests.services.postgres import Server

    server = Server()
    try:
        server.start()
        yield server.new_database()
    finally:
        server.close()
