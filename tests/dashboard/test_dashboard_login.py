"""Who may see the pages where a login is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from logwarden.dashboard import login

APP = Path(login.__file__).with_name("app.py")


def texts(app: AppTest) -> str:
    return " ".join([*(one.value for one in app.markdown), *(one.value for one in app.subheader)])


def test_without_a_login_asked_for_everybody_passes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(login.LOGIN_VARIABLE, raising=False)
    monkeypatch.setenv("LOGWARDEN_STORE", str(tmp_path / "none.db"))
    app = AppTest.from_file(str(APP), default_timeout=60).run()
    assert [one.label for one in app.button] != ["Sign in"]


def test_a_login_that_is_asked_for_and_not_set_up_lets_nobody_pass(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(login.LOGIN_VARIABLE, "required")
    monkeypatch.setenv("LOGWARDEN_STORE", str(tmp_path / "none.db"))
    app = AppTest.from_file(str(APP), default_timeout=60).run()
    assert [one.label for one in app.button] == ["Sign in"]
    assert "Sign in to see anomalies and logs." in texts(app)
    assert "none.db" not in texts(app)


VERIFIED = {"email": "ann@example.com", "email_verified": True}


@pytest.mark.parametrize(
    ("user", "patterns", "passes"),
    [
        ({"email": "ann@example.com"}, [], True),
        ({}, [], True),
        (VERIFIED, ["*@example.com"], True),
        (VERIFIED | {"email": "Ann@Example.com"}, ["ann@example.com"], True),
        (VERIFIED | {"email": "ann@example.com.evil.org"}, ["*@example.com"], False),
        (VERIFIED | {"email": "bob@example.org"}, ["*@example.com", "bob@example.org"], True),
        (VERIFIED | {"email_verified": "true"}, ["*@example.com"], True),
        (VERIFIED | {"email_verified": False}, ["*@example.com"], False),
        (VERIFIED | {"email_verified": "false"}, ["*@example.com"], False),
        (VERIFIED | {"email_verified": None}, ["*@example.com"], False),
        ({"email": "ann@example.com"}, ["*@example.com"], False),
        ({"email_verified": True}, ["*@example.com"], False),
        ({}, ["*@example.com"], False),
    ],
)
def test_only_those_named_pass(user: dict[str, Any], patterns: list[str], passes: bool) -> None:
    assert login.is_allowed(user, patterns) is passes


@pytest.mark.parametrize(
    ("user", "passes"),
    [
        ({"email": "ann@example.com"}, True),
        (VERIFIED, True),
        (VERIFIED | {"email_verified": False}, False),
        ({}, False),
    ],
)
def test_a_provider_that_never_says_what_it_verified_can_be_trusted(user: dict[str, Any], passes: bool) -> None:
    assert login.is_allowed(user, ["*@example.com"], trust_unstated=True) is passes
