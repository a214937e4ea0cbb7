"""How records read on the pages, without a browser."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from logwarden.api.record import Evidence, EvidenceKind, Explanation, LogLine, Origin
from logwarden.dashboard import charts, facts, views
from logwarden.store import ListenerStatus
from tests.dashboard.generate import FAULTS, make_record

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.25, "0.25 s"),
        (59.6, "1 min"),
        (90, "1 min 30 s"),
        (3600, "1 h"),
        (90061, "1 d 1 h"),
        (-75, "-1 min 15 s"),
    ],
)
def test_durations_name_their_two_largest_units(seconds: float, text: str) -> None:
    assert facts.duration(seconds) == text


def test_every_kind_of_evidence_and_channel_has_a_name() -> None:
    assert set(facts.KINDS) == set(EvidenceKind)


def test_facts_have_names_and_units() -> None:
    known = {"count": 1214, "seconds": 60, "normal_count": 2, "template": "a b", "probability": 0.93512, "new_fact": 1}
    evidence = Evidence(kind=EvidenceKind.BURST, channel="rate", score=0.9, facts=known)
    assert facts.readable_facts(evidence) == [
        ("Times seen", "1,214"),
        ("Within", "1 min"),
        ("Normal at most", "2"),
        ("Message", "a b"),
        ("Probability of an anomaly", "0.935"),
        ("New fact", "1"),
    ]


def explained(text: str) -> str:
    explanation = Explanation(text=text, backend="plain", faithful=True)
    record = make_record(1, START, FAULTS[0], "c").model_copy(update={"explanation": explanation})
    return facts.summary(record)


def test_the_summary_is_the_first_sentence_without_the_host() -> None:
    host = make_record(1, START, FAULTS[0], "c").source.host
    assert explained(f"{host}: link to 10.0.0.1. went down at 3.5 s. Also, more. Check next: x.") == (
        "Link to 10.0.0.1. went down at 3.5 s"
    )
    assert explained(f"{host}: bgpd wrote it. Check next: x.") == "bgpd wrote it"
    assert explained("Check next: the cable.") == "Check next: the cable"


def test_an_unexplained_record_is_summed_up_by_its_evidence() -> None:
    record = make_record(1, START, FAULTS[0], "c").model_copy(update={"explanation": None})
    assert facts.summary(record) == "Message never seen before"
    assert views.detail(record, None, [])["finding"] == ""


def test_advice_is_told_apart_from_the_finding() -> None:
    assert facts.split_explanation("A is odd. Check next: the cable.") == ("A is odd.", "The cable.")
    assert facts.split_explanation("A is odd.") == ("A is odd.", "")


def test_lines_name_file_and_number_or_topic_and_offset() -> None:
    line = LogLine(position=17, text="x")
    assert facts.line_origin(Origin(stream="file:/var/log/syslog", first=1, last=20), line) == "/var/log/syslog:17"
    assert facts.line_origin(Origin(stream="netlogs-raw/0", first=1, last=20), line) == "netlogs-raw/0 offset 17"


def listener(protocol: str, port: int) -> ListenerStatus:
    return ListenerStatus(name=protocol, protocol=protocol, address="127.0.0.1", port=port)


def test_ports_in_words() -> None:
    listeners = [listener("udp", 5514), listener("tcp", 5514), listener("tls", 6514), listener("https", 8080)]
    assert facts.ports(listeners) == "UDP/TCP 5514, TLS 6514 and HTTPS 8080"
    assert facts.ports(listeners[:1]) == "UDP 5514"
    assert facts.ports([]) == ""


@pytest.mark.parametrize("hours", [0.01, 1, 24, 24 * 30, 24 * 3000])
def test_intervals_cover_the_time_with_at_most_150_pieces(hours: float) -> None:
    end = datetime.fromtimestamp(START.timestamp() + hours * 3600, UTC)
    shown = charts.buckets(START, end, charts.bucket_seconds(START, end))
    assert len(shown) <= 151
    assert shown[0] <= START.timestamp()
    assert shown[-1] + shown.step > end.timestamp()


@pytest.mark.parametrize(("minutes", "form"), [(3, "%H:%M:%S"), (60, "%H:%M"), (3 * 24 * 60, "%d %b %H:%M")])
def test_marks_on_the_time_axis_are_told_apart(minutes: int, form: str) -> None:
    end = datetime.fromtimestamp(START.timestamp() + minutes * 60, UTC)
    shown = charts.buckets(START, end, charts.bucket_seconds(START, end))
    assert charts.lines_chart([], shown, 0).to_dict()["encoding"]["x"]["axis"]["format"] == form
