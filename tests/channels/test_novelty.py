"""What was never seen is found, and weighed by how often new things come."""

from __future__ import annotations

import json

import pytest

from logwarden.api.record import EvidenceKind
from logwarden.channels import NoveltyChannel
from logwarden.templates import Templates
from tests.channels.builders import unit

KNOWN = ["sshd: Accepted password for USER from IP", "sshd: session opened for user USER", "cron: CMD PATH"]


@pytest.fixture
def channel() -> NoveltyChannel:
    templates = Templates(KNOWN)
    channel = NoveltyChannel(templates)
    channel.fit([unit(templates, "srv1", 30.0 * i, KNOWN[:2]) for i in range(500)])
    channel.fit([unit(templates, "srv2", 30.0 * i, KNOWN[2:]) for i in range(500)])
    return channel


def read(channel: NoveltyChannel, host: str, texts: list[str]):  # type: ignore[no-untyped-def]
    return channel.read(unit(channel._templates, host, 1e6, texts))


def test_known_templates_in_a_known_combination_are_nothing(channel: NoveltyChannel) -> None:
    assert read(channel, "srv1", KNOWN[:2]) == []


def test_never_seen_template_of_a_known_program_is_found(channel: NoveltyChannel) -> None:
    finding = read(channel, "srv1", ["sshd: fatal: mm_answer_sign failed"])[0]
    assert finding.kind is EvidenceKind.NEVER_SEEN_TEMPLATE
    assert finding.facts["app"] == "sshd"
    assert finding.raw > 2.5


def test_template_known_from_another_host_is_found_as_such(channel: NoveltyChannel) -> None:
    finding = read(channel, "srv1", ["cron: CMD PATH"])[0]
    assert finding.kind is EvidenceKind.NEVER_SEEN_ON_HOST
    assert finding.facts["other_hosts"] == 1


def test_known_templates_never_seen_together_are_found(channel: NoveltyChannel) -> None:
    finding = read(channel, "srv1", KNOWN[:1])[0]
    assert finding.kind is EvidenceKind.NEVER_SEEN_COMBINATION


def test_first_line_of_an_unknown_device_surprises_nobody(channel: NoveltyChannel) -> None:
    assert read(channel, "new-switch", ["ifmgr: interface IFACE up"]) == []


def test_unknown_device_is_learned_and_then_speaks_up(channel: NoveltyChannel) -> None:
    for i in range(400):
        channel.learn(unit(channel._templates, "new-switch", 30.0 * i, ["ifmgr: interface IFACE up"]))
    first = read(channel, "new-switch", ["ifmgr: fan failure"])[0]
    assert first.raw > 2.0


def test_what_was_learned_is_known_and_survives_a_restart(channel: NoveltyChannel) -> None:
    new = unit(channel._templates, "srv1", 1e6, ["sshd: fatal: mm_answer_sign failed"])
    channel.learn(new)
    assert channel.read(new) == []
    templates = Templates(KNOWN)
    again = NoveltyChannel.from_json(json.loads(json.dumps(channel.to_json())), templates)
    assert [f.kind for f in read(channel, "srv1", KNOWN[:1])] == [f.kind for f in read(again, "srv1", KNOWN[:1])]
    fresh = NoveltyChannel(Templates(KNOWN))
    fresh.restore(json.loads(json.dumps(channel.to_state())))
    assert fresh.read(unit(fresh._templates, "srv1", 1e6, ["sshd: fatal: mm_answer_sign failed"])) == []


def test_what_was_told_of_an_unknown_device_is_told_once_and_of_a_known_one_again(channel: NoveltyChannel) -> None:
    for i in range(400):
        channel.learn(unit(channel._templates, "new-switch", 30.0 * i, ["ifmgr: interface IFACE up"]))
    for host, texts, again in (("new-switch", ["ifmgr: fan failure"], 0), ("srv1", ["sshd: fatal: no keys"], 1)):
        assert len(read(channel, host, texts)) == 1
        channel.reported(unit(channel._templates, host, 1e6, texts))
        assert len(read(channel, host, texts)) == again
