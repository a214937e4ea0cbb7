"""The knowledge table gives every anomaly a hint that fits, and no hint claims anything."""

from __future__ import annotations

import re

import pytest

from logwarden.api.record import EvidenceKind
from logwarden.explain import knowledge, phrases, plain
from tests.explain.records import burst, evidence, record

EXAMPLES = [(topic.topic, text) for topic in knowledge.topics() for text in topic.examples]


@pytest.mark.parametrize(("topic", "text"), EXAMPLES, ids=[text[:40] for _, text in EXAMPLES])
def test_examples_find_their_own_topic(topic: str, text: str) -> None:
    kind = next(iter(next(t for t in knowledge.topics() if t.topic == topic).kinds), EvidenceKind.NEVER_SEEN_TEMPLATE)
    assert knowledge.topic_for(kind, phrases.app_of(text) or "", text).topic == topic


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("dropbear: Bad password attempt for USER from IP", "sshd-auth"),
        ("kernel: eth1: Link is Down", "link"),
        ("myapp: fanout to worker NUM", "generic"),
        ("debugger: debug NUM", "generic"),
        ("ospfd: neighbor IP MTU mismatch", "ospf"),
        ("Keepalived_vrrp: (VI_1) Entering BACKUP STATE", "vrrp"),
        ("cat: PATH: No space left on device", "disk-full"),
        ("", "generic"),
    ],
)
def test_topics_are_found_by_program_and_words(text: str, topic: str) -> None:
    assert knowledge.topic_for(EvidenceKind.BURST, phrases.app_of(text) or "", text).topic == topic


@pytest.mark.parametrize("kind", ["silence", "clock_offset", "missing_event"])
def test_kinds_that_are_not_about_a_text_have_their_own_topic(kind: str) -> None:
    topic = knowledge.lead_of(record(evidence(kind), template="", app=None)).topic
    assert kind in {found.value for found in topic.kinds}


def test_hints_hold_no_number_and_no_verdict() -> None:
    for hint in knowledge.all_hints():
        assert not re.search(r"\d", hint), hint
        assert hint[-1] not in ".!?", hint


@pytest.mark.parametrize("name", ["x; rm -rf /", "$(reboot)", "-rf", "a b", "", "`id`", "a\nb", "x" * 200])
def test_a_hostile_name_never_gets_into_a_command(name: str) -> None:
    anomaly = record(burst(template=f"{name}: something odd", app=name), evidence("silence", 1.0), app=name, host=name)
    assert [c for c in knowledge.lead_of(anomaly).commands if name and name in c] == []
    assert "rm -rf" not in plain.hint(anomaly)


def test_commands_name_program_and_host() -> None:
    silence = record(evidence("silence", silent_seconds=60, host="sw1"), host="sw1", app=None)
    assert "`ping sw1`" in plain.hint(silence)
    dns = record(burst(template="unbound: query failed", app="unbound"), app="unbound")
    assert "`journalctl -u unbound`" in plain.hint(dns)
