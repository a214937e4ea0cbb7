"""The command line explains itself and refuses what cannot work."""

import pytest

from lab import cli, instance


def test_help_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["--help"])
    assert end.value.code == 0
    assert "python3 -m lab record --seed 7" in capsys.readouterr().out


def test_kinds_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--list-kinds"]) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("link_flap", "(held out)", "maintenance"))


def test_an_unknown_kind_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["record", "--out", "unused", "--kinds", "nonsense"]) == 2
    assert "no such kind of fault: nonsense" in capsys.readouterr().err


def test_missing_programs_are_named_by_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(instance, "PROGRAMS", {"no-such-program": "some-package"})
    assert cli.main(["record", "--out", "unused"]) == 2
    assert "apt-get install --no-install-recommends some-package" in capsys.readouterr().err


def test_without_root_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(instance, "PROGRAMS", {})
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert cli.main(["record", "--out", "unused"]) == 2
    assert "needs root" in capsys.readouterr().err


def test_without_root_and_programs_it_says_both(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(instance, "PROGRAMS", {"no-such-program": "some-package"})
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert cli.main(["record", "--out", "unused"]) == 2
    said = capsys.readouterr().err
    assert "needs root" in said
    assert "some-package" in said


def test_elsewhere_it_says_that_it_needs_linux(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    assert cli.main(["record", "--out", "unused"]) == 2
    assert "needs Linux" in capsys.readouterr().err


def test_cleaning_an_unknown_instance_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["clean", "--instance", "never-started"]) == 0
    assert "nothing was running" in capsys.readouterr().out
