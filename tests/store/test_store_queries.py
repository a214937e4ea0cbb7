"""What pages and commands ask of a store."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logwarden.api.record import Explanation, Severity
from logwarden.outcome import Activity, Outcome
from logwarden.store import (
    AnomalyFilter,
    ListenerStatus,
    PartitionStatus,
    Phase,
    PipelineStatus,
    Progress,
    Store,
    queries,
)
from tests.store.builders import NOON, case, record
from tests.store.conftest import NewPlace


@pytest.fixture(scope="module")
def store(new_place: NewPlace) -> Iterator[Store]:
    store = Store.open(new_place())
    records = [record(number) for number in range(100)]
    # The same microsecond for several records: paging must not lose or repeat any.
    records += [record(50, id=f"same{number}") for number in range(10)]
    records.append(
        record(
            200,
            id="special",
            host="fw-1",
            text="kernel: FORWARD_DROP IN=eth0 SRC=203.0.113.77 DPT=22 [UFW BLOCK]",
            score=0.99,
            severity=Severity.CRITICAL,
            category="burst",
            case_id="c2",
            explanation=Explanation(text="Zebras crossed the savanna.", backend="plain", faithful=True),
        )
    )
    store.commit(
        Outcome(
            records=records,
            cases=[case("c1", minutes=3), case("c2", minutes=9), case("c3", minutes=5)],
            activity=[Activity(int(NOON.timestamp()) + 10 * step, host, 4) for step in range(30) for host in "ab"],
            lines=240,
        ),
        consumer="c",
        positions={},
    )
    yield store
    store.close()


def ids(store: Store, **conditions: object) -> list[str]:
    return [item.id for item in store.anomalies(AnomalyFilter(**conditions), limit=1000)]  # type: ignore[arg-type]


def test_every_anomaly_is_listed_once_and_the_newest_first(store: Store) -> None:
    whole = store.anomalies(limit=1000)
    assert len(whole) == 111
    assert whole == sorted(whole, key=lambda item: (item.start, item.id), reverse=True)
    assert store.anomalies(limit=67) == whole[:67]


def test_filters(store: Store) -> None:
    assert ids(store, hosts=["fw-1"]) == ["special"]
    assert len(ids(store, hosts=["fw-1", "r1"])) == 111
    assert ids(store, severities=[Severity.CRITICAL]) == ["special"]
    assert ids(store, min_score=0.95) == ["special"]
    assert ids(store, case_id="c2") == ["special"]
    assert ids(store, apps=["named"]) == []
    start = NOON + timedelta(seconds=3, microseconds=3)
    assert ids(store, start=start, end=start + timedelta(seconds=2)) == ["a00000004", "a00000003"]
    assert store.count(AnomalyFilter(hosts=["fw-1"])) == 1


@pytest.mark.parametrize(
    "text",
    [
        "savanna",
        "ZEBRA",
        "forward_drop",
        "203.0.113.77",
        "203.0.11",
        "SRC=203.0.113.77",
        "fw-1",
        "[UFW",
        "ufw eth0",
        "DPT=22 zebras",
        "] [UFW",
        "= zebras",
    ],
)
def test_search_finds_words_beginnings_addresses_and_signs(store: Store, text: str) -> None:
    assert ids(store, text=text) == ["special"]


def test_search_needs_every_word(store: Store) -> None:
    assert ids(store, text="zebras bgpd") == ["special"]
    assert ids(store, text="zebras lion") == []
    assert len(ids(store, text="bgpd never")) == 110


@pytest.mark.parametrize("text", ["bgpd", "zebras", "bgpd never", "host"])
@pytest.mark.parametrize("first", [0, 3, 30])
def test_search_finds_the_same_however_many_are_looked_at_first(
    store: Store, monkeypatch: pytest.MonkeyPatch, text: str, first: int
) -> None:
    for limit in (1, 5, 200):
        for end in (None, NOON + timedelta(seconds=40)):
            matching = AnomalyFilter(text=text, end=end)
            monkeypatch.setattr(queries, "LOOKED_AT_FIRST", 1_000_000)
            whole = store.anomalies(matching, limit=limit)
            monkeypatch.setattr(queries, "LOOKED_AT_FIRST", first)
            assert store.anomalies(matching, limit=limit) == whole


@pytest.mark.parametrize("first", [0, 3, 1_000_000])
def test_counting_ends_where_it_is_told_to(store: Store, monkeypatch: pytest.MonkeyPatch, first: int) -> None:
    monkeypatch.setattr(queries, "LOOKED_AT_FIRST", first)
    for matching, number in (
        (AnomalyFilter(), 111),
        (AnomalyFilter(text="bgpd"), 111),
        (AnomalyFilter(hosts=["r1"]), 110),
        (AnomalyFilter(text="zebras"), 1),
    ):
        assert store.count(matching) == number
        for most in (1, 2, 110, 500):
            assert store.count(matching, most=most) == min(number, most)


def test_a_number_before_a_dot_is_whole(place: str) -> None:
    with Store.open(place) as store:
        addresses = ("10.7.7.9", "10.7.77.9", "10.77.7.9")
        found = [record(number, text=f"from {address} to r1") for number, address in enumerate(addresses)]
        store.commit(Outcome(records=found), consumer="c", positions={})
        assert ids(store, text="10.7.7.") == ["a00000000"]
        assert ids(store, text="10.7.7") == ["a00000001", "a00000000"]


@pytest.mark.parametrize(
    "text",
    ['"foo* -bar (', "NEAR(", "zebras AND lion", "NOT lion(", '"', "*", "^x", "col:y", "%_", "\x00x", "\udcff", "🦓"],
)
def test_odd_search_texts_find_nothing_without_an_error(store: Store, text: str) -> None:
    assert ids(store, text=text) == []


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=30))
def test_no_text_is_an_invalid_search(store: Store, text: str) -> None:
    assert len(ids(store, text=text)) <= 111


def test_search_follows_a_changed_explanation(place: str) -> None:
    with Store.open(place) as store:
        store.commit(Outcome(records=[record(1)]), consumer="c", positions={})
        store.set_explanation("a00000001", Explanation(text="Giraffes arrived.", backend="builtin", faithful=True))
        assert ids(store, text="giraffe") == ["a00000001"]
        assert ids(store, text="template was never") == []
        store.commit(Outcome(records=[record(1)]), consumer="c", positions={})
        assert ids(store, text="giraffe") == ["a00000001"]


def test_cases_are_listed_by_their_end(store: Store) -> None:
    assert [item.id for item in store.cases()] == ["c2", "c3", "c1"]
    assert [item.id for item in store.cases(limit=1)] == ["c2"]
    assert [item.id for item in store.cases(start=NOON + timedelta(minutes=5))] == ["c2", "c3"]
    assert store.cases(end=NOON) == []
    assert store.case("c9") is None


def test_counts_over_time(store: Store) -> None:
    counts = store.anomaly_counts(bucket_seconds=60)
    assert [(item.start, item.severity, item.anomalies) for item in counts] == [
        (NOON, Severity.WARNING, 70),
        (NOON + timedelta(minutes=1), Severity.WARNING, 40),
        (NOON + timedelta(minutes=3), Severity.CRITICAL, 1),
    ]
    later = store.anomaly_counts(start=NOON + timedelta(minutes=3))
    assert [item.severity for item in later] == [Severity.CRITICAL]
    points = store.activity(NOON + timedelta(minutes=1), NOON + timedelta(minutes=3), bucket_seconds=55)
    assert [(point.start - NOON, point.lines) for point in points] == [
        (timedelta(minutes=1), 48),
        (timedelta(minutes=2), 48),
    ]


def test_top_hosts_names_those_with_anomalies_first(store: Store) -> None:
    hosts = store.top_hosts()
    assert [(item.host, item.anomalies, item.lines, item.severity) for item in hosts] == [
        ("r1", 110, 0, Severity.WARNING),
        ("fw-1", 1, 0, Severity.CRITICAL),
        ("a", 0, 120, None),
        ("b", 0, 120, None),
    ]
    assert store.hosts() == ["fw-1", "r1"]
    assert store.apps() == ["bgpd"]


def test_the_newest_host_is_the_one_whose_first_line_came_last(new_place: NewPlace) -> None:
    with Store.open(new_place()) as store:
        begun = int(NOON.timestamp())
        for slot, host in ((begun, "old"), (begun, "new"), (begun + 10, "old"), (begun - 86_400, "before")):
            store.commit(Outcome(activity=[Activity(slot, host, 2)], lines=2), consumer="c", positions={})
        found = store.newest_hosts()
        assert [(item.host, item.lines) for item in found] == [("new", 2), ("old", 4)]
        assert all(item.first <= item.last <= datetime.now(UTC) for item in found)
        assert found[1].first < found[0].first < found[1].last
        assert [item.host for item in store.newest_hosts(limit=1)] == ["new"]
        assert "before" not in {item.host for item in store.newest_hosts()}


def test_totals_bound_the_time_of_lines_and_anomalies(store: Store) -> None:
    totals = store.totals()
    assert (totals.lines, totals.anomalies, totals.cases, totals.rejected) == (240, 111, 3, 0)
    assert totals.first == NOON
    assert totals.last == NOON + timedelta(seconds=300)


def test_ids_by_their_beginning(store: Store) -> None:
    assert store.anomaly_ids("spec") == ["special"]
    assert len(store.anomaly_ids("same")) == 10
    assert store.anomaly_ids("%") == []


def test_the_status_of_the_pipeline_that_reported_last(place: str) -> None:
    with Store.open(place) as store:
        assert store.status() is None
        listener = ListenerStatus(name="syslog-udp", protocol="udp", address="127.0.0.1", port=5514)
        first = PipelineStatus(
            pipeline="lab", phase=Phase.REPLAYING, listeners=(listener,), progress=Progress(done=5, total=10)
        )
        store.set_status(first)
        assert store.status() == first
        second = PipelineStatus(pipeline="lab", phase=Phase.LISTENING, updated=first.updated + timedelta(seconds=1))
        store.set_status(second)
        assert store.status() == second


def test_several_processes_of_a_pipeline_have_one_status(place: str) -> None:
    now = datetime.now(UTC)

    def detector(instance: str, age: float, phase: Phase = Phase.LISTENING, detail: str = "", **ends: int) -> None:
        partitions = tuple(PartitionStatus(stream=f"raw/{n}", end=end, stored=end) for n, end in ends.items())
        store.set_status(
            PipelineStatus(
                pipeline="lab",
                instance=instance,
                phase=phase,
                detail=detail,
                partitions=partitions,
                updated=now - timedelta(seconds=age),
            )
        )

    with Store.open(place) as store:
        detector("a", 2.0, detail="Kafka is away", p0=10, p1=20)
        detector("b", 1.0, detail="Kafka is away", p1=25)
        detector("ended", 40.0, p2=5)
        detector("stopped", 0.0, phase=Phase.STOPPED, p2=7)
        status = store.status()
        assert status is not None
        assert (status.processes, status.phase, status.detail) == (2, Phase.LISTENING, "Kafka is away")
        assert [(one.stream, one.end) for one in status.partitions] == [("raw/p0", 10), ("raw/p1", 25)]
        detector("a", -7200.0)
        assert (found := store.status()) is not None
        assert (found.instance, found.processes) == ("a", 1)
