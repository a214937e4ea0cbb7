"""What is PostgreSQL's own: its restarts, concurrent writers, permissions, and how a person reaches it."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine

from logwarden.api.record import Verdict
from logwarden.errors import LogwardenError
from logwarden.outcome import Activity, Outcome
from logwarden.store import AnomalyFilter, Store, migrations
from logwarden.store.engines import connect
from logwarden.store.postgresql import DRIVER
from logwarden.store.tables import metadata
from tests.services.ports import free_port
from tests.services.postgres import PASSWORD, Server
from tests.store.builders import case, record
from tests.store.test_store_commit import WRITER

pytestmark = pytest.mark.postgres

ROOT = str(Path(__file__).parents[2])


@pytest.fixture
def url(postgres: Server) -> str:
    return postgres.new_database()


@pytest.fixture
def own_server() -> Iterator[Server]:
    server = Server()
    server.start()
    yield server
    server.close()


def complaint(url: str, *, read_only: bool = False) -> str:
    with pytest.raises(LogwardenError) as caught:
        Store.open(url, read_only=read_only)
    message = str(caught.value)
    assert "\n" not in message
    assert PASSWORD not in message
    return message


def test_migrating_an_empty_database_gives_the_declared_tables(url: str) -> None:
    def is_declared(_object: object, name: str | None, _kind: str, _reflected: bool, _other: object) -> bool:
        return name not in ("words", "anomalies_by_words", "anomalies_by_beginning")

    engine, _ = connect(url, read_only=False)
    with engine.connect() as connection:
        options = {"compare_type": True, "include_object": is_declared}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []
    engine.dispose()


def test_a_store_with_the_first_tables_is_brought_up_to_date_and_searched(url: str) -> None:
    with Store.open(url) as store:
        store.commit(Outcome(records=[record(1), record(2, text="zebra")], lines=2), consumer="c", positions={})
    engine = create_engine(url.replace("postgresql", DRIVER))
    with engine.begin() as connection:
        for statement in (
            "DROP INDEX anomalies_by_words",
            "DROP INDEX anomalies_by_beginning",
            "DROP INDEX anomalies_by_score",
            "DROP TABLE rollups",
            "ALTER TABLE anomalies DROP COLUMN words",
        ):
            connection.exec_driver_sql(statement)
        config = Config()
        config.set_main_option("script_location", str(Path(migrations.__file__).parent))
        config.attributes["connection"] = connection
        command.stamp(config, "0001")
    engine.dispose()
    assert "has older tables (0001)" in complaint(url, read_only=True)
    with Store.open(url) as store:
        assert [item.id for item in store.anomalies(AnomalyFilter(text="zebr"))] == ["a00000002"]
        assert store.count() == 2


@pytest.mark.parametrize(
    "word",
    [
        "10.0.1.7",
        "10.0.1.",
        "192.168.3",
        "1e10deadbeef",
        "3e8a",
        "0x1f",
        "10.0.1",
        "a_b-c",
        "grü",
        "漢",
        "x" * 300,
        "caf\\xe9",
    ],
)
def test_search_finds_what_the_server_would_take_for_numbers_addresses_and_other_scripts(url: str, word: str) -> None:
    with Store.open(url) as store:
        text = "id=1e10deadbeef mac 3e8a.00ff.0x1f 0x1f at 10.0.1.7 ...192.168.3.4.443, "
        text += f"a_b-c.d grüße 漢字 {'x' * 1500} caf\udce9"
        store.commit(Outcome(records=[record(1, text=text), record(2)]), consumer="c", positions={})
        assert [item.id for item in store.anomalies(AnomalyFilter(text=word))] == ["a00000001"]


def test_a_record_too_large_for_the_index_is_kept_and_found_by_its_beginning(url: str) -> None:
    large = "needle " + " ".join(f"w{number:x}漢" for number in range(400_000))
    with Store.open(url) as store:
        store.commit(Outcome(records=[record(1, text=large)]), consumer="c", positions={})
        assert [item.id for item in store.anomalies(AnomalyFilter(text="needle"))] == ["a00000001"]
        kept = store.anomaly("a00000001")
    assert kept is not None
    assert kept.lines[0].text == large


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_restart_of_the_server_in_mid_stream_loses_and_repeats_nothing(own_server: Server, how: str) -> None:
    url = own_server.new_database()
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, url, ROOT], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    try:
        confirmed = 0
        for round_number in range(3):
            while confirmed < 20 * (round_number + 1):
                confirmed = int(writer.stdout.readline())
            getattr(own_server, how)()
            time.sleep(0.5)
            own_server.start()
        while confirmed < 100:
            confirmed = int(writer.stdout.readline())
    finally:
        writer.kill()
        _, told = writer.communicate()
    with Store.open(url) as store:
        steps = store.checkpoint("c").positions["s"]
        assert steps >= 100, told
        assert store.totals().lines == store.totals().anomalies == steps * 10
        assert sum(point.lines for point in store.activity()) == steps * 10


def test_a_commit_whose_answer_is_lost_is_not_made_twice(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server has committed, and the connection breaks before it says so."""
    with Store.open(url) as store:
        original = store._engine.dialect.do_commit
        broken: list[int] = []

        def commit_and_break(connection: object) -> None:
            original(connection)  # type: ignore[arg-type]
            if not broken:
                broken.append(1)
                import psycopg

                raise psycopg.OperationalError("server closed the connection unexpectedly")

        monkeypatch.setattr(store._engine.dialect, "do_commit", commit_and_break)
        store.commit(Outcome(records=[record(1)], lines=7), consumer="c", positions={"s": 1})
        assert broken
        assert store.totals().lines == 7


def test_writers_of_the_same_rows_wait_for_each_other_and_all_is_counted(url: str) -> None:
    failures: list[BaseException] = []

    def write(number: int) -> None:
        try:
            with Store.open(url) as store:
                for step in range(15):
                    order = list(range(20))[:: 1 if (step + number) % 2 else -1]
                    outcome = Outcome(
                        records=[record(index) for index in order],
                        cases=[case(f"c{index % 3}", anomalies=index + 1) for index in order],
                        activity=[Activity(1000, f"r{index}", 1) for index in order],
                        lines=20,
                    )
                    store.commit(outcome, consumer=f"w{number}", positions={"s": step})
                    store.set_feedback(f"a{step:08d}", Verdict.TRUE_ANOMALY)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with Store.open(url) as store:
        assert store.totals().lines == 4 * 15 * 20
        assert store.totals().anomalies == 20


def test_read_only_reads_and_refuses_to_write(url: str) -> None:
    assert "has older tables (none)" in complaint(url, read_only=True)
    with Store.open(url) as store:
        store.commit(Outcome(records=[record(1)]), consumer="c", positions={})
    with Store.open(url, read_only=True) as store:
        assert store.count() == 1
        with pytest.raises(LogwardenError, match="read-only"):
            store.commit(Outcome(records=[record(2)]), consumer="c", positions={})


def test_a_schema_of_its_own_may_be_named_in_the_url(postgres: Server) -> None:
    url = postgres.new_database()
    name = url.rsplit("/", 1)[1]
    postgres.execute("CREATE TABLE songs (title text)", name)
    assert "is a database of something else (table 'songs')" in complaint(url)
    postgres.execute("CREATE SCHEMA logs", name)
    with Store.open(f"{url}?options=-csearch_path%3Dlogs") as store:
        store.commit(Outcome(lines=3), consumer="c", positions={})
        assert store.totals().lines == 3


def test_mistakes_in_the_url_get_one_line_with_what_to_do_and_no_password(postgres: Server, url: str) -> None:
    assert "password authentication failed" in complaint(url.replace("%2541@", "%2542@"))
    assert "check user and password" in complaint(url.replace("logs:", "nobody-there:"))
    assert "create it first" in complaint(postgres.url("missing"))
    nobody = url.replace(f":{postgres.port}/", f":{free_port()}/")
    assert "no server listens there: check host and port" in complaint(nobody)
    with Store.open(url.replace("postgresql://", "postgres://")) as store:
        assert store.url.startswith("postgresql+psycopg://logs:***@")


def test_a_user_without_rights_is_told(postgres: Server, url: str) -> None:
    postgres.execute("CREATE ROLE reader LOGIN PASSWORD 'p'")
    assert "permission denied" in complaint(f"postgresql://reader:p@{url.rpartition('@')[2]}")


def test_a_server_that_stays_away_is_an_error_in_the_end(own_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    from logwarden.store import writer

    with Store.open(own_server.new_database()) as store:
        own_server.stop()
        monkeypatch.setattr(writer.Writer.__call__, "__kwdefaults__", {"patience": 1.0})
        with pytest.raises(LogwardenError, match="no server listens there") as caught:
            store.commit(Outcome(lines=1), consumer="c", positions={})
        assert "\n" not in str(caught.value)
