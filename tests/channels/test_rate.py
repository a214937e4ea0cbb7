"""Bursts, silences and clocks are found against the host's own normal."""

from __future__ import annotations

import json

import pytest

from logwarden.api.record import EvidenceKind
from logwarden.channels import RateChannel
from logwarden.channels.base import Reading
from logwarden.templates import Templates
from logwarden.units import Unit
from tests.channels.builders import unit

FAILED = "sshd: Failed password for USER from IP"
MARK = "-- MARK --"


@pytest.fixture
def channel() -> RateChannel:
    templates = Templates([FAILED, MARK])
    channel = RateChannel(templates)
    units = []
    for i in range(60):
        texts = [MARK, FAILED] if i % 20 == 0 else [MARK]
        units.append(unit(templates, "srv1", 30.0 * i, texts))
    channel.fit(units)
    return channel


def make(channel: RateChannel, start: float, texts: list[str], host: str = "srv1") -> Unit:
    return unit(channel._templates, host, start, texts, spacing=0.5)


def kinds(reading: Reading) -> list[EvidenceKind]:
    return [finding.kind for finding in reading]


def test_usual_counts_are_nothing(channel: RateChannel) -> None:
    assert channel.read(make(channel, 9000, [MARK, FAILED])) == []


def test_more_lines_than_ever_are_a_burst_with_the_numbers(channel: RateChannel) -> None:
    findings = channel.read(make(channel, 9000, [MARK, *[FAILED] * 30]))
    burst = next(finding for finding in findings if finding.facts["template"] == FAILED)
    assert burst.kind is EvidenceKind.BURST
    assert burst.facts["count"] == 30
    assert burst.facts["normal_count"] == 1


def test_slow_drip_shows_over_the_long_horizon(channel: RateChannel) -> None:
    readings = []
    for i in range(8):
        window = make(channel, 9000 + 30.0 * i, [MARK, FAILED])
        readings.append(channel.read(window))
        channel.learn(window)
    assert readings[0] == []
    drip = next(finding for finding in readings[-1] if finding.facts["template"] == FAILED)
    assert drip.facts["seconds"] == 300
    assert drip.facts["count"] == 8


def test_burst_that_was_reported_is_not_told_again_after_its_end(channel: RateChannel) -> None:
    channel.read(make(channel, 9000, [MARK, *[FAILED] * 30]))  # reported: not learned
    assert channel.read(make(channel, 9060, [MARK, FAILED])) == []


def test_lines_before_a_report_do_not_make_the_time_after_it_look_busy(channel: RateChannel) -> None:
    before = make(channel, 9000, [MARK, FAILED])
    channel.read(before)
    channel.learn(before)
    flood = make(channel, 9030, [MARK, *[FAILED] * 30])
    assert EvidenceKind.BURST in kinds(channel.read(flood))
    channel.reported(flood)
    for i in range(2):  # three lines in five minutes would be more than normal
        after = make(channel, 9060 + 30.0 * i, [MARK, *[FAILED] * (i == 0)])
        assert channel.read(after) == []
        channel.learn(after)


def test_regular_event_that_stays_away_is_missing(channel: RateChannel) -> None:
    window = make(channel, 9000, [MARK])
    channel.read(window)
    channel.learn(window)
    found = channel.read(make(channel, 9200, [FAILED]))
    assert EvidenceKind.MISSING_EVENT in kinds(found)


def test_silence_is_measured_in_longest_normal_silences(channel: RateChannel) -> None:
    assert channel.silence("srv1", 30) < 1
    assert channel.silence("srv1", 120) > 3
    assert channel.silence("never heard of", 1e6) == 0


def test_clock_that_jumps_is_found_once(channel: RateChannel) -> None:
    readings = []
    for i, offset in enumerate([0.2, 0.1, 3600.0, 3600.1]):
        window = make(channel, 9000 + 30.0 * i, [MARK])
        window.clock_offset = offset
        readings.append(kinds(channel.read(window)))
    assert readings == [[], [], [EvidenceKind.CLOCK_OFFSET], []]


def test_unknown_host_is_held_against_what_it_was_seen_to_do(channel: RateChannel) -> None:
    flood = [FAILED] * 40
    assert channel.read(make(channel, 9000, flood, host="new")) == []
    for i in range(40):
        channel.learn(make(channel, 9030 + 30.0 * i, [FAILED], host="new"))
    assert EvidenceKind.BURST in kinds(channel.read(make(channel, 20000, flood, host="new")))


def test_fit_and_memory_survive_json(channel: RateChannel) -> None:
    first = make(channel, 9000, [MARK, FAILED])
    channel.read(first)
    channel.learn(first)
    again = RateChannel.from_json(json.loads(json.dumps(channel.to_json())), channel._templates)
    again.restore(json.loads(json.dumps(channel.to_state())))
    second = make(channel, 9030, [MARK, *[FAILED] * 5])
    assert channel.read(second) == again.read(second)
