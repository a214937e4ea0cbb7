"""``logwarden collector``."""

from __future__ import annotations

from pathlib import Path

import pytest

from logwarden.cli.root import run

PIPELINE = """\
apiVersion: logwarden.dev/v1alpha1
kind: LogPipeline
metadata: {name: NAME}
spec:
  collect: {syslog: {listeners: [{name: udp, port: 5514}]}}
  kafka: {bootstrapServers: "kafka:9092"}
  detect: {modelRef: {name: m}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "p.yaml"
    file.write_text(PIPELINE.replace("NAME", "campus"))
    return file


def test_render_prints_the_configuration_for_the_version_asked_for(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["collector", "render", "-f", str(file), "--syslog-ng", "3.38", "--bootstrap-servers", "other:1"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("@version: 3.38\n")
    assert 'bootstrap-servers("other:1")' in out


@pytest.mark.syslog
def test_check_lets_the_installed_syslog_ng_read_it(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["collector", "render", "-f", str(file), "--syslog-ng", "3.38", "--check"]) == 0
    assert run(["collector", "render", "-f", str(file), "--syslog-ng", "3.38", "--check", "--pipeline", "campus"]) == 0
    capsys.readouterr()
    file.write_text(
        PIPELINE.replace("NAME", "campus").replace("5514}", "5514, transport: TLS, tlsSecretRef: {name: gone}}")
    )
    assert run(["collector", "render", "-f", str(file), "--syslog-ng", "3.38", "--check"]) == 1
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert "/etc/logwarden/secrets/gone/tls.crt" in error


@pytest.mark.syslog
def test_check_needs_no_credentials_of_kafka(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kafka = 'bootstrapServers: "kafka:9092"'
    sasl = "sasl: {mechanism: SCRAM-SHA-512, credentialsSecretRef: {name: kafka-user}}"
    file.write_text(PIPELINE.replace("NAME", "campus").replace(kafka, f"{kafka}, {sasl}"))
    assert run(["collector", "render", "-f", str(file), "--syslog-ng", "3.38", "--check"]) == 0
    assert "@include" in capsys.readouterr().out


def test_mistakes_get_one_line(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["collector", "render", "-f", str(file), "--pipeline", "no"]) == 2
    assert "has no LogPipeline no; there is campus" in capsys.readouterr().err
    file.write_text(PIPELINE.replace("NAME", "a") + "---\n" + PIPELINE.replace("NAME", "b"))
    assert run(["collector", "render", "-f", str(file)]) == 2
    assert "has to hold one LogPipeline, or --pipeline names one; there is a, b" in capsys.readouterr().err
