"""pip's settings reach uv."""

from __future__ import annotations

import os
from pathlib import Path

from scripts.install import pip_settings, translate, uv_environment


def test_the_environment_wins_over_files_and_install_over_global() -> None:
    listed = """\
:env:.index-url='https://env.example/simple'
global.index-url='https://file.example/simple'
global.timeout='60'
install.timeout='90'
list.format='columns'
"""
    assert pip_settings(listed) == {"index-url": "https://env.example/simple", "timeout": "90"}


def test_settings_get_the_names_and_separators_of_uv(tmp_path: Path) -> None:
    variables = translate(
        {
            "index-url": "https://one.example/simple",
            "extra-index-url": "https://two.example/simple\nhttps://three.example/simple",
            "find-links": f"{tmp_path} {tmp_path}/not-there https://links.example/",
            "cert": "/etc/ssl/company.pem",
            "no-cache-dir": "true",
        }
    )
    assert variables == {
        "UV_DEFAULT_INDEX": "https://one.example/simple",
        "UV_INDEX": "https://two.example/simple https://three.example/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": f"{tmp_path},https://links.example/",
        "SSL_CERT_FILE": "/etc/ssl/company.pem",
    }


def test_what_pip_itself_reports_is_understood(tmp_path: Path) -> None:
    settings = tmp_path / "pip.conf"
    settings.write_text(
        "[global]\nindex-url = https://index.example/it's/simple\nextra-index-url =\n  https://a.example\n"
    )
    environment = {**os.environ, "PIP_CONFIG_FILE": str(settings), "PIP_TRUSTED_HOST": "index.example"}
    found = uv_environment({key: value for key, value in environment.items() if not key.startswith("UV_")})
    assert found["UV_DEFAULT_INDEX"] == "https://index.example/it's/simple"
    assert found["UV_INDEX"] == "https://a.example"
    assert found["UV_INSECURE_HOST"] == "index.example"


def test_what_is_set_for_uv_already_is_left_alone(tmp_path: Path) -> None:
    settings = tmp_path / "pip.conf"
    settings.write_text("[global]\nindex-url = https://pip.example/simple\n")
    environment = {**os.environ, "PIP_CONFIG_FILE": str(settings), "UV_DEFAULT_INDEX": "https://uv.example/simple"}
    assert uv_environment(environment)["UV_DEFAULT_INDEX"] == "https://uv.example/simple"


def test_every_pin_is_a_plain_version() -> None:
    lines = (Path(__file__).resolve().parents[2] / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert len(pins) > 100
    assert all("==" in pin and "://" not in pin and " @ " not in pin and "--" not in pin for pin in pins)
