"""The configuration of syslog-ng that a pipeline becomes."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logwarden.collector import check_command, render_syslog_ng, start_command
from logwarden.collector.syntax import quoted, version_of
from logwarden.errors import InvalidInputError
from tests.collector.golden import CASES, file_of, rendered
from tests.collector.pipelines import EVERYTHING, pipeline


@pytest.mark.parametrize(("name", "version"), CASES)
def test_the_configuration_is_the_golden_one(name: str, version: str) -> None:
    hint = "if the change is wanted: python -m tests.collector.golden"
    assert rendered(name, version) == file_of(name, version).read_text(), hint


def test_the_address_of_kafka_may_be_given_from_outside() -> None:
    text = render_syslog_ng(pipeline(listeners=[{"name": "udp"}], kafka=None), bootstrap_servers="k:9092")
    assert 'bootstrap-servers("k:9092")' in text


@pytest.mark.parametrize(
    ("changes", "version", "message"),
    [
        ({}, "3.35", "syslog-ng 3.35 is too old"),
        ({}, "latest", "syslog-ng version 'latest': expected one such as 3.38 or 4.8"),
        ({"kafka": None}, "4.8", "LogPipeline campus names no Kafka"),
        ({"listeners": []}, "4.8", "collects no syslog: add spec.collect.syslog.listeners"),
        ({"buffer": {"size": "1Mi"}}, "4.8", "spec.collect.buffer.size: found 1Mi, allowed: 16Mi or more"),
        ({"kafka": {"bootstrapServers": "a\x01b:1"}}, "4.8", "holds control characters"),
    ],
)
def test_what_cannot_be_rendered_is_said_in_one_line(changes: dict[str, Any], version: str, message: str) -> None:
    values = {"listeners": [{"name": "udp"}], **changes}
    with pytest.raises(InvalidInputError, match=re.escape(message)) as caught:
        render_syslog_ng(pipeline(**values), version=version)
    assert "\n" not in str(caught.value)


def test_secrets_are_neither_in_the_configuration_nor_in_arguments() -> None:
    text = render_syslog_ng(EVERYTHING)
    assert "sasl.password" not in text
    assert '@include "/run/syslog-ng/kafka-credentials.conf"' in text
    for command in (start_command(EVERYTHING), check_command(EVERYTHING)):
        assert command[:2] == ["sh", "-c"]
        assert "/etc/logwarden/secrets/kafka-user/password" in command[2]


def test_without_a_password_no_shell_is_needed() -> None:
    plain = pipeline(listeners=[{"name": "udp"}])
    assert start_command(plain)[0] == check_command(plain)[0] == "syslog-ng"


@pytest.mark.parametrize(("text", "version"), [("3.38", (3, 38)), ("3.38.1", (3, 38)), ("4.10", (4, 10))])
def test_versions_are_compared_by_number(text: str, version: tuple[int, int]) -> None:
    assert version_of(text) == version


PRINTABLE = st.text(st.characters(exclude_categories=("Cc", "Cs")) | st.sampled_from("\n\t\r\"'`\\$@#{}();"))


@given(PRINTABLE)
def test_a_quoted_value_has_one_reading(text: str) -> None:
    inside = quoted(text)[1:-1]
    assert "\n" not in inside
    # Reads as the language does: first variables in back quotes, then escapes.
    assert re.fullmatch(r'(?:[^"\\`]|\\.|``)*', inside)
    unescaped = re.sub(r"\\(.)", lambda found: {"n": "\n", "r": "\r", "t": "\t"}.get(found[1], found[1]), inside)
    assert unescaped.replace("``", "`") == text.replace("``", "`")


@given(servers=st.from_regex(r"[^\s,:]{1,20}:[0-9]{1,5}", fullmatch=True))
def test_no_value_of_a_user_ends_its_string(servers: str) -> None:
    try:
        text = render_syslog_ng(pipeline(listeners=[{"name": "udp"}], kafka={"bootstrapServers": servers}))
    except InvalidInputError:
        return
    plain = render_syslog_ng(pipeline(listeners=[{"name": "udp"}], kafka={"bootstrapServers": "HOST:1"}))
    assert text.replace(quoted(servers), quoted("HOST:1")) == plain
