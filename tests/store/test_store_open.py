"""Opening a store, and what a person is told when that does not work."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from urllib.parse import quote

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from logwarden.errors import InvalidInputError, LogwardenError
from logwarden.outcome import Outcome
from logwarden.store import Store, default_store_path
from logwarden.store.engines import connect
from logwarden.store.migrations import HEAD
from logwarden.store.tables import metadata
from tests.store.builders import record


def complaint(path: Path | str, *, read_only: bool = False) -> str:
    with pytest.raises(LogwardenError) as caught:
        Store.open(path, read_only=read_only)
    message = str(caught.value)
    assert "\n" not in message
    return message


def _is_ours(_object: object, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:
    return kind != "table" or not str(name).startswith("anomaly_text")


def test_migrating_an_empty_database_gives_the_declared_tables(tmp_path: Path) -> None:
    engine, _ = connect(tmp_path / "s.db", read_only=False)
    with engine.connect() as connection:
        options = {"compare_type": True, "include_object": _is_ours}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []
    engine.dispose()


def test_head_is_the_newest_migration() -> None:
    folder = Path(__file__).parents[2] / "src" / "logwarden" / "store" / "migrations"
    assert ScriptDirectory(str(folder)).get_current_head() == HEAD


def test_a_path_and_a_url_open_the_same_store(tmp_path: Path) -> None:
    path = tmp_path / "a b%20" / "s.db"
    with Store.open(path) as store:
        store.commit(Outcome(records=[record(1)]), consumer="c", positions={})
    with Store.open(f"sqlite:///{quote(str(path))}") as store:
        assert store.count() == 1


def test_read_only_reads_and_refuses_to_write(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    with Store.open(path) as store:
        store.commit(Outcome(records=[record(1)]), consumer="c", positions={})
    with Store.open(path, read_only=True) as store:
        assert store.count() == 1
        with pytest.raises(LogwardenError, match="read-only"):
            store.commit(Outcome(records=[record(2)]), consumer="c", positions={})


def test_read_only_creates_nothing_and_says_what_makes_a_store(tmp_path: Path) -> None:
    assert "logwarden up" in complaint(tmp_path / "none.db", read_only=True)
    assert list(tmp_path.iterdir()) == []


def test_things_that_are_no_store(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("hello " * 1000)
    assert "not an SQLite file" in complaint(text)
    other = tmp_path / "other.db"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE songs (title)")
    connection.close()
    assert "songs" in complaint(other)
    assert "is a folder" in complaint(tmp_path)
    assert "SQLAlchemy URL" in complaint("x y://")
    assert "needs a file" in complaint("sqlite://")
    assert "cannot make the folder" in complaint(text / "deeper" / "s.db")
    assert "not installed" in complaint("oracle+cx_oracle://x/y")


@pytest.mark.parametrize("url", ["x y://", "foo://x", "postgresql://h:bad/db", "sqlite+nonsense:///x.db"])
def test_what_is_no_url_of_a_database_is_a_mistake_of_the_input(url: str) -> None:
    with pytest.raises(InvalidInputError, match="is neither a path nor an SQLAlchemy URL"):
        Store.open(url)


@pytest.mark.parametrize(
    "url",
    [
        "foo://ann:s3cr3t@h/db",
        "postgresql://ann:s3cr3t@h:bad/db",
        "postgresql://ann:s3cr3t/signs@h:bad/db",
        "postgresql://ann@127.0.0.1:1/db?password=s3cr3t&sslpassword=signs",
    ],
)
def test_a_password_is_never_shown(url: str) -> None:
    message = complaint(url)
    assert "ann" in message
    assert "s3cr3t" not in message
    assert "signs" not in message


def test_a_store_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    Store.open(path).close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    assert "newer Logwarden" in complaint(path)


def test_a_damaged_store_gives_one_line(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    with Store.open(path) as store:
        store.commit(Outcome(records=[record(number) for number in range(2000)]), consumer="c", positions={})
    content = bytearray(path.read_bytes())
    content[8192:] = b"\xee" * (len(content) - 8192)
    path.write_bytes(content)
    with pytest.raises(LogwardenError, match="store"), Store.open(path) as store:
        store.anomalies(limit=1000)


def test_the_default_place_follows_the_xdg_specification(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/var/state")
    assert default_store_path() == Path("/var/state/logwarden/logwarden.db")
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/home/ann")
    assert default_store_path() == Path("/home/ann/.local/state/logwarden/logwarden.db")
