"""One engine for live streams and for history."""

from __future__ import annotations

import json
import time
from typing import Any

from logwarden.api.record import Case
from logwarden.channels.ensemble import Scored
from logwarden.detect.cases import CaseBook
from logwarden.detect.model import DetectionModel
from logwarden.detect.records import RecordMaker
from logwarden.events import Batch
from logwarden.outcome import Outcome
from logwarden.units import Intake, Unit


class Detector:
    """Reads batches of lines, scores their units, returns anomalies and cases.

    Everything that comes out is a pure function of the revision, the lines, the clock values given to
    :meth:`advance` and the state restored: batching does not matter, and a rerun gives the same ids. Only
    ``AnomalyRecord.detected`` tells the real time.

    Parameters
    ----------
    model
        The revision to detect with.
    pipeline
        Name of the LogPipeline, copied into records.
    threshold
        Overrides the threshold of the revision.
    """

    def __init__(self, model: DetectionModel, pipeline: str, *, threshold: float | None = None) -> None:
        self._pipeline = pipeline
        self._threshold_override = threshold
        self._cases = CaseBook(pipeline)
        self._take(model)

    def _take(self, model: DetectionModel) -> None:
        self.model = model
        self._ensemble = model.ensemble()
        self.threshold = self._ensemble.threshold if self._threshold_override is None else self._threshold_override
        self._intake = Intake(model.templates, model.unit, self._ensemble.silence)
        self._records = RecordMaker(model, self._pipeline, self._intake.parser, self.threshold)

    def take_over(self, model: DetectionModel) -> None:
        """Go on with another revision, which judges what is open: no line is missed, read twice or forgotten."""
        state = self.snapshot()
        self._take(model)
        self.restore(state)

    def process(self, batch: Batch) -> Outcome:
        """Read lines and return what the units that they close give."""
        outcome = Outcome()
        self._judge(self._intake.process(batch, outcome), outcome)
        return outcome

    def advance(self, now: float) -> Outcome:
        """Let the clock pass to ``now`` (Unix seconds), so that windows close and silences show without new lines."""
        outcome = Outcome()
        self._judge(self._intake.advance(now), outcome)
        return outcome

    def pass_time(self, stream: str, seconds: float) -> Outcome:
        """Let one stream's clock pass without lines, as it does for a file to which nothing is added."""
        outcome = Outcome()
        state = self._intake.streams.get(stream)
        if state is not None:
            self._judge(state.open.advance(state.open.clock + seconds), outcome)
        return outcome

    def end(self, stream: str) -> Outcome:
        """Judge what is open of a stream to which nothing will be added, and forget it."""
        outcome = Outcome()
        state = self._intake.streams.get(stream)
        if state is not None:
            self._judge(state.open.finish(), outcome)
            del self._intake.streams[stream]
        return outcome

    def finish(self) -> Outcome:
        """Judge the windows that are still open at the end of the input."""
        outcome = Outcome()
        self._judge(self._intake.finish(), outcome)
        return outcome

    def _judge(self, units: list[Unit], outcome: Outcome) -> None:
        outcome.units += len(units)
        self._ensemble.prepare(units, self.threshold, self._cases.may_count)
        cases: dict[str, Case] = {}

        def counted(scored: Scored) -> bool:
            if (case := self._cases.repeat(scored)) is not None:
                cases[case.id] = case
            return case is not None

        for unit in units:
            scored = self._ensemble.judge(unit, self.threshold, counted)
            if scored is not None:
                case = self._report(scored, outcome)
                cases[case.id] = case
        outcome.cases += cases.values()

    def _report(self, scored: Scored, outcome: Outcome) -> Case:
        """Add the record of an anomaly to the outcome; return its case."""
        stream = self._intake.streams[scored.unit.stream]
        record = self._records.make(
            scored,
            address=stream.addresses.get(scored.unit.host),
            listener=stream.listeners.get(scored.unit.host) or None,
            detected=time.time(),
        )
        filed, case = self._cases.file(record, scored)
        outcome.records.append(filed)
        return case

    def clock(self, stream: str) -> float:
        """Return how far the clock of a stream has come, Unix seconds; 0 for one that is not known."""
        state = self._intake.streams.get(stream)
        return 0.0 if state is None else state.open.clock

    def snapshot(self) -> bytes:
        """Return the state from which :meth:`restore` goes on as if nothing had happened."""
        state = {
            "intake": self._intake.to_state(),
            "channels": self._ensemble.to_state(),
            "cases": self._cases.to_state(),
        }
        # Not orjson: raw lines may hold bytes that are not UTF-8, which only json writes and reads back.
        return json.dumps(state, separators=(",", ":")).encode()

    def restore(self, state: bytes) -> None:
        """Go on from a :meth:`snapshot`, also of another revision: open lines and what was learned are kept."""
        saved: dict[str, Any] = json.loads(state)
        self._cases = CaseBook.from_state(self._pipeline, saved["cases"])
        self._intake.restore(saved["intake"])
        self._ensemble.restore(saved["channels"])
