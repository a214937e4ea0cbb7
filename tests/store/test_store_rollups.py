"""Sums over long times, which are made from rollups, beside a count of everything there is."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import product

from logwarden.api.record import AnomalyRecord, Severity
from logwarden.outcome import Activity, Outcome
from logwarden.store import Store
from logwarden.store.engines import connect
from tests.store.builders import NOON, record

HOSTS = ("r1", "r2", "fw-1")
STEP = 7777
NUMBERS = range(0, 3 * 86400, STEP)
"""Seconds after noon, over three days."""
TIMES = (None, NOON, NOON + timedelta(hours=13, seconds=7), NOON + timedelta(days=2, microseconds=1))


def records() -> list[AnomalyRecord]:
    severities = list(Severity)
    return [
        record(number, host=HOSTS[number // STEP % 3], severity=severities[number // STEP % 2]) for number in NUMBERS
    ]


def activity() -> list[Activity]:
    start = int(NOON.timestamp())
    return [Activity(start + number // 10 * 10, host, number % 5 + 1) for number in NUMBERS for host in HOSTS]


def fill(store: Store) -> None:
    store.commit(Outcome(records=records(), activity=activity(), lines=1), consumer="c", positions={})


def check(store: Store, found: list[AnomalyRecord], lines: list[Activity]) -> None:
    """Compare what the store says with a count of all, for times that begin and end anywhere."""
    for (start, end), step in product(product(TIMES, TIMES), (60, 300, 3600, 86400)):
        inside = [one for one in found if (not start or one.start >= start) and (not end or one.start < end)]
        counts = Counter((int(one.start.timestamp()) // step * step, one.severity) for one in inside)
        told = {(int(one.start.timestamp()), one.severity): one.anomalies for one in
                store.anomaly_counts(start, end, bucket_seconds=step)}  # fmt: skip
        assert told == counts
        # Activity counts as inside when its interval begins there.
        active = [one for one in lines if (not start or at(one) >= start) and (not end or at(one) < end)]
        sums: Counter[int] = Counter()
        by_host: Counter[str] = Counter()
        for one in active:
            sums[one.start // step * step] += one.lines
            by_host[one.host] += one.lines
        told_lines = store.activity(start, end, bucket_seconds=step)
        assert {int(point.start.timestamp()): point.lines for point in told_lines} == sums
        hosts = store.top_hosts(start, end)
        assert {host.host: host.lines for host in hosts if host.lines} == by_host
        assert {host.host: host.anomalies for host in hosts if host.anomalies} == Counter(
            one.source.host for one in inside
        )


def at(one: Activity) -> datetime:
    return datetime.fromtimestamp(one.start, UTC)


def test_sums_are_right_for_any_time(place: str) -> None:
    with Store.open(place) as store:
        fill(store)
        check(store, records(), activity())


def test_a_record_that_is_written_again_counts_once_and_as_it_is_now(place: str) -> None:
    with Store.open(place) as store:
        store.commit(Outcome(records=records(), activity=activity()), consumer="c", positions={})
        again = [one.model_copy(update={"severity": Severity.CRITICAL}) for one in records()[:5]]
        store.commit(Outcome(records=[*again, again[0]]), consumer="c", positions={})
        check(store, [*again, *records()[5:]], activity())


def test_what_is_removed_counts_no_more(place: str) -> None:
    with Store.open(place) as store:
        fill(store)
        store.prune(datetime.now(UTC) + timedelta(seconds=1))
        check(store, [], [])
        fill(store)
        check(store, records(), activity())


def test_a_store_from_before_gets_its_sums(place: str) -> None:
    with Store.open(place) as store:
        fill(store)
    engine, _ = connect(place, read_only=False)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE rollups")
        connection.exec_driver_sql("DROP INDEX anomalies_by_score")
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0003'")
    engine.dispose()
    with Store.open(place) as store:
        check(store, records(), activity())
