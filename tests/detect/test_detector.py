"""The detector is a pure function of its input, however it is batched, stopped and started again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import orjson
import pytest

from logwarden.api.record import AnomalyRecord
from logwarden.datasets import Recording
from logwarden.datasets.lab import read_recording
from logwarden.detect import DetectionModel, Detector
from logwarden.events import Batch
from logwarden.explain import ranked
from logwarden.outcome import Outcome
from logwarden.templates import Templates
from tests.detect.conftest import RECORDINGS


def cut(batches: Iterator[Batch], size: int) -> Iterator[Batch]:
    for batch in batches:
        for start in range(0, len(batch.lines), size):
            part = slice(start, start + size)
            yield replace(
                batch,
                positions=batch.positions[part],
                lines=batch.lines[part],
                received=batch.received and batch.received[part],
                peers=batch.peers and batch.peers[part],
            )


def run(detector: Detector, batches: Iterator[Batch]) -> Outcome:
    outcome = Outcome()
    for batch in batches:
        outcome.extend(detector.process(batch))
    outcome.extend(detector.finish())
    return outcome


def told(outcome: Outcome) -> list[AnomalyRecord]:
    """The records without the moment of detection, the only thing that tells the real time."""
    return [record.model_copy(update={"detected": record.end}) for record in outcome.records]


@pytest.fixture(scope="module")
def whole(model: DetectionModel, recording: Recording) -> Outcome:
    return run(Detector(model, "test"), recording.batches())


def test_anomalies_of_a_recording_are_told_with_everything_a_person_needs(whole: Outcome) -> None:
    assert len(whole.records) > 5
    for record in whole.records:
        assert record.score >= record.threshold
        assert record.explanation is not None
        assert record.explanation.text
        assert record.evidence
        assert record.case_id
        assert record.origin.stream.startswith("file:")
        assert record.origin.first <= record.origin.last
        assert record.lines or record.category == "silence"
        assert {line.position for line in record.lines} <= set(range(record.origin.first, record.origin.last + 1))
    assert {record.case_id for record in whole.records} == {case.id for case in whole.cases}


def test_the_program_is_that_of_the_message_which_the_explanation_tells_first(whole: Outcome) -> None:
    several = 0
    for record in whole.records:
        apps = {text.partition(": ")[0] for item in record.evidence if (text := str(item.facts.get("template", "")))}
        app = ranked(record.evidence)[0].facts.get("app")
        several += len(apps) > 1
        if app is not None:
            assert record.source.app == app
    assert several  # or nothing was tested


def test_every_line_is_counted_once(whole: Outcome, recording: Recording) -> None:
    lines = sum(len(batch.lines) for batch in recording.batches())
    assert whole.lines == lines
    assert sum(slot.lines for slot in whole.activity) + len(whole.rejected) == lines


def test_records_of_hosts_and_programs_with_broken_names_can_be_sent(
    whole: Outcome, model: DetectionModel, recording: Recording
) -> None:
    first = next(record for record in whole.records if record.source.app)
    host, app = first.source.host, first.source.app

    def break_names(batch: Batch) -> Batch:
        lines = [
            line.replace(f" {host} ", f" {host}\udcff ").replace(f" {app}", f" {app}\udcfe") for line in batch.lines
        ]
        return replace(batch, lines=lines)

    records = run(Detector(model, "test"), map(break_names, recording.batches())).records
    for record in records:
        orjson.dumps(record.to_json())
    assert f"{host}\\xff" in {record.source.host for record in records}
    assert any("\\xfe" in (record.source.app or "") for record in records)


@pytest.mark.parametrize("size", [7, 500])
def test_batching_does_not_matter(size: int, whole: Outcome, model: DetectionModel, recording: Recording) -> None:
    again = run(Detector(model, "test"), cut(recording.batches(), size))
    assert told(again) == told(whole)


def test_restart_from_a_snapshot_goes_on_as_if_nothing_had_happened(
    whole: Outcome, model: DetectionModel, recording: Recording
) -> None:
    outcome, detector = Outcome(), Detector(model, "test")
    for batch in cut(recording.batches(), 1500):
        state = detector.snapshot()
        detector = Detector(model, "test")
        detector.restore(state)
        outcome.extend(detector.process(batch))
    outcome.extend(detector.finish())
    assert told(outcome) == told(whole)


def test_a_storm_costs_the_model_little_and_batching_and_restarts_still_do_not_matter(
    model: DetectionModel, recording: Recording
) -> None:
    """The recording at fifty times its pace: nearly every window is an anomaly that was told a moment ago."""

    def storm(size: int) -> Iterator[Batch]:
        for batch in cut(recording.batches(), size):
            assert batch.received is not None
            start = recording.started
            yield replace(batch, late=True, received=[start + (one - start) / 50 for one in batch.received])

    once, often = Detector(model, "test"), Detector(model, "test")
    asked = model.scores.probabilities.scored
    whole = run(once, storm(2000))
    assert whole.units > 150
    assert model.scores.probabilities.scored - asked < whole.units / 4
    assert 0 < len(whole.records) < whole.units / 3
    pieces = Outcome()
    for batch in storm(300):
        state = often.snapshot()
        often = Detector(model, "test")
        often.restore(state)
        pieces.extend(often.process(batch))
    pieces.extend(often.finish())
    assert told(pieces) == told(whole)


def test_new_revision_takes_over_without_losing_repeating_or_forgetting_anything(
    model: DetectionModel, recording: Recording, whole: Outcome
) -> None:
    newer = replace(model, revision="f" * 12)
    detector, outcome = Detector(model, "test"), Outcome()
    batches = list(cut(recording.batches(), 500))
    for batch in batches[:12]:
        outcome.extend(detector.process(batch))
    detector.take_over(newer)
    outcome.extend(run(detector, iter(batches[12:])))
    assert {record.revision for record in outcome.records} == {model.revision, newer.revision}
    assert list(map(finding, outcome.records)) == list(map(finding, whole.records))


def test_templates_of_open_lines_are_looked_up_again_in_the_new_revision(
    model: DetectionModel, recording: Recording
) -> None:
    detector = Detector(model, "test", threshold=0.0)
    detector.process(next(cut(recording.batches(), 3000)))
    detector.take_over(replace(model, revision="f" * 12, templates=Templates()))
    records = detector.finish().records
    assert records
    assert all(record.template.text for record in records if record.lines)


def test_a_file_after_a_newer_one_is_judged_as_if_it_stood_alone(model: DetectionModel) -> None:
    earlier, later = (read_recording(RECORDINGS / name) for name in ("train-5", "train-6"))
    alone = bursts(run(Detector(model, "test"), earlier.batches()))
    detector = Detector(model, "test")
    run(detector, later.batches())
    assert bursts(run(detector, earlier.batches())) <= alone + 2


def finding(record: AnomalyRecord) -> dict[str, object]:
    """What was found, without what depends on the revision's id and on the time of detection."""
    return record.model_dump(exclude={"id", "revision", "detected", "case_id"})


def bursts(outcome: Outcome) -> int:
    return sum(record.category == "burst" for record in outcome.records)


def test_silence_shows_when_only_the_clock_moves(model: DetectionModel, recording: Recording) -> None:
    detector = Detector(model, "test")
    batch = next(recording.batches())
    assert batch.received is not None
    detector.process(batch)
    outcome = Outcome()
    for second in range(1, 200):
        outcome.extend(detector.advance(batch.received[-1] + second))
    assert "silence" in {record.category for record in outcome.records}


def test_lowest_threshold_reports_only_what_it_can_explain(model: DetectionModel, recording: Recording) -> None:
    outcome = Detector(model, "test", threshold=0.0).process(next(recording.batches()))
    assert outcome.records
    assert all(record.evidence for record in outcome.records)


def test_lines_that_cannot_be_read_are_rejected_with_the_reason(model: DetectionModel) -> None:
    batch = Batch("file:/x", [1, 2], ["", "\x00\x01\x02\x03\x04\x05" * 20])
    outcome = Detector(model, "test").process(batch)
    assert [row.position for row in outcome.rejected] == [1, 2]
    assert all(row.reason for row in outcome.rejected)
