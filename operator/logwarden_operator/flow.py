"""FlowHealthy: whether what was received reached Kafka and was judged, and which step loses where it was not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from logwarden.api.log_pipeline import AlertsSpec
from logwarden_operator.conditions import Condition, false, true, unknown
from logwarden_operator.ledger import Sample, Totals, between

TYPE = "FlowHealthy"
ON_THE_WAY = 5000
"""Lines that may be between two counters when these are read, in batches of collectors and detectors."""
_STILL_SECONDS = 90.0
"""So long nothing may move before somebody is told: a collector's batch and a detector's start take some seconds."""
_RATE_SECONDS = 90.0

NOT_MEASURED = unknown(TYPE, "NotMeasured", "no counters of pods were compared yet")

Check = Callable[[Totals, float, float], Condition | None]


def flow_condition(samples: Sequence[Sample], alerts: AlertsSpec) -> Condition:
    """Return FlowHealthy from the samples of the last ten minutes, oldest first."""
    if len(samples) < 2:
        return NOT_MEASURED
    first, last = samples[0], samples[-1]
    seen = between(first, last)
    for check in _LOSSES:
        if (found := check(seen, last.time - first.time, alerts.loss_percent)) is not None:
            return found
    if (found := _stands(samples)) is not None:
        return found
    if (found := _detector_loses(samples, alerts.loss_percent)) is not None:
        return found
    if not last.answered and not last.unread:
        return NOT_MEASURED
    if last.unread:
        pods = "; ".join(last.unread[:5])
        return unknown(TYPE, "MetricsUnreadable", f"the operator cannot read port 9090 of {pods}")
    if seen.received == 0:
        return true(TYPE, "NothingReceived", "no line came in the last minutes, and none was lost")
    return true(TYPE, "Balanced", "what was received in the last minutes is in Kafka and judged, or waits")


def _collector_loses(seen: Totals, seconds: float, percent: float) -> Condition | None:
    vanished = seen.vanished if seen.vanished > ON_THE_WAY else 0
    gone = seen.dropped + seen.kernel_dropped + vanished
    arrived = seen.received + seen.kernel_dropped
    if not _more_than(percent, gone, arrived):
        return None
    parts = [
        (seen.dropped, "dropped because the buffer on a node was full (spec.collect.buffer.size)"),
        (seen.kernel_dropped, "dropped by the kernel because UDP came faster than syslog-ng reads"),
        (vanished, "neither written to Kafka nor kept in the buffer"),
    ]
    words = "; ".join(f"{count:,.0f} {what}" for count, what in parts if count > 0)
    return false(TYPE, "CollectorLoses", f"collectors lose: of {arrived:,.0f} lines in {_minutes(seconds)}: {words}")


def _ingest_loses(seen: Totals, seconds: float, percent: float) -> Condition | None:
    if not _more_than(percent, seen.refused, seen.received):
        return None
    words = f"the HTTP endpoint loses: Kafka refused {seen.refused:,.0f} lines for good in {_minutes(seconds)}"
    return false(TYPE, "IngestLoses", f"{words}: look at its log and at the topic's max.message.bytes")


def _kafka_loses(seen: Totals, seconds: float, percent: float) -> Condition | None:
    if not _more_than(percent, seen.lost, seen.judged + seen.rejected + seen.lost):
        return None
    words = f"Kafka loses: it removed {seen.lost:,.0f} lines in {_minutes(seconds)} before a detector read them"
    return false(TYPE, "KafkaLoses", f"{words}: give spec.kafka.topic.retention more time, or detectors more replicas")


def _stands(samples: Sequence[Sample]) -> Condition | None:
    """Look for a step that did nothing for a while, though it had something to do."""
    last = samples[-1]
    before = [one for one in samples if one.time <= last.time - _STILL_SECONDS]
    if not before:
        return None
    seen, seconds = between(before[-1], last), last.time - before[-1].time
    return _kafka_takes_nothing(seen, seconds) or _detector_stands(seen, seconds)


def _kafka_takes_nothing(seen: Totals, seconds: float) -> Condition | None:
    if seen.written > 0 or seen.buffered == 0 or seen.received == 0:
        return None
    words = f"Kafka took no line in {_minutes(seconds)}; {seen.buffered:,.0f} wait before it"
    return false(TYPE, "KafkaTakesNothing", f"{words}: is it up, and are address and credentials in spec.kafka right?")


def _detector_stands(seen: Totals, seconds: float) -> Condition | None:
    if seen.lag == 0 or seen.judged + seen.rejected + seen.lost > 0 or seen.written == 0:
        return None
    words = f"{seen.lag:,.0f} lines wait in Kafka, and none was judged in {_minutes(seconds)}"
    return false(TYPE, "DetectorStands", f"{words}: see the detectors' log")


_LOSSES: tuple[Check, ...] = (_collector_loses, _ingest_loses, _kafka_loses)


def _detector_loses(samples: Sequence[Sample], percent: float) -> Condition | None:
    """Compare what Kafka acknowledged with what was judged.

    Only between two moments at which nothing waited, because marks of transactions count among what waits; and only
    while the same detectors ran, because one that is killed takes its last counts along.
    """
    last = samples[-1]
    anchors = [one for one in samples if one.detectors == last.detectors and _caught_up(one)]
    if not _caught_up(last) or len(anchors) < 2:
        return None
    seen = between(anchors[0], last)
    missing = seen.written - seen.judged - seen.rejected - seen.lost
    if missing <= ON_THE_WAY or not _more_than(percent, missing, seen.written):
        return None
    words = f"of {seen.written:,.0f} lines that Kafka took in {_minutes(last.time - anchors[0].time)}"
    return false(TYPE, "DetectorLoses", f"detectors lose: {words}, {missing:,.0f} were neither judged nor dead letters")


def _caught_up(sample: Sample) -> bool:
    return "detector" in sample.answered and sample.totals.lag <= ON_THE_WAY and not sample.unread


def _more_than(percent: float, part: float, whole: float) -> bool:
    return part > 0 and part > whole * percent / 100


def _minutes(seconds: float) -> str:
    minutes = max(1, round(seconds / 60))
    return "the last minute" if minutes == 1 else f"the last {minutes} minutes"


def flow_fields(samples: Sequence[Sample], traffic: dict[str, int] | None) -> dict[str, Any]:
    """Return what the status says in numbers: logs a second, lag, and ``traffic``, the totals so far."""
    if len(samples) < 2:
        return {}
    last = samples[-1]
    lag = round(_rounded(last.totals.lag)) if "detector" in last.answered else None
    received = _rate(samples) if {"collector", "ingest"} & last.answered else None
    return {"received": received, "lag": lag, "traffic": traffic}


def _rate(samples: Sequence[Sample]) -> str:
    last = samples[-1]
    recent = next(one for one in samples if one.time >= last.time - _RATE_SECONDS or one is samples[-2])
    return f"{short(between(recent, last).received / max(1.0, last.time - recent.time))}/s"


def short(value: float) -> str:
    """Return a number in few characters: 0, 0.42, 7.1, 120, 3.4k, 12M."""
    value = _rounded(value)
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.2g}{letter}" if value < 100 * size else f"{value / size:.0f}{letter}"
    return f"{value:.0f}" if value >= 10 or value == 0 else f"{value:.2g}"


def _rounded(value: float) -> float:
    """Return a value to two digits: a status that changes with every line would keep the API server busy."""
    return float(f"{value:.2g}")
