"""Data sets in S3, fetched from a real server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

import pytest

from logwarden.datasets import PARTS, Dataset, kept_until_done, load_dataset
from logwarden.errors import InvalidInputError, LogwardenError
from tests.datasets.test_lines import lines_of, write_log

if TYPE_CHECKING:
    from tests.services.s3 import Storage

pytestmark = [pytest.mark.s3, pytest.mark.usefixtures("storage")]


@pytest.fixture
def place(storage: Storage, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A folder of a bucket with two files of lines, one of them packed: its name with that of the bucket."""
    name = f"logs/{crc32(request.node.name.encode())}"
    older = write_log(tmp_path / "syslog.1.gz", 0, 100)
    newer = write_log(tmp_path / "syslog", 100, 200)
    assert len(older) == len(newer) == 100
    files = storage.files()
    files.put_file(str(tmp_path / "syslog.1.gz"), f"{name}/2026/10/r1/syslog.1.gz")
    files.put_file(str(tmp_path / "syslog"), f"{name}/2026/11/r1/syslog")
    return name


def all_lines(dataset: Dataset) -> list[str]:
    return [line for part in PARTS for line in lines_of(dataset, part)]


@pytest.mark.parametrize("path", ["", "/", "/2026", "/2026/*/r1/syslog*", "/2026/**"])
def test_a_folder_or_glob_is_read_as_if_it_were_here(place: str, tmp_path: Path, path: str) -> None:
    uri = f"s3://{place}{path}"
    found = load_dataset(uri, folder=tmp_path / "fetched")
    here = load_dataset(str(tmp_path / "syslog*"))
    assert all_lines(found) == all_lines(here)
    assert found.uri == uri
    assert found.sha256() == here.sha256()


def test_one_file_is_read(place: str, tmp_path: Path) -> None:
    found = load_dataset(f"s3://{place}/2026/11/r1/syslog", folder=tmp_path / "fetched")
    assert len(all_lines(found)) == 100


@pytest.mark.parametrize(
    ("path", "words"),
    [("/2027/", "no file is there"), ("/2026/*.gz", "no file is there")],
    ids=["folder", "glob"],
)
def test_what_is_not_there_is_named(place: str, tmp_path: Path, path: str, words: str) -> None:
    with pytest.raises(InvalidInputError, match=f"s3://{place}.*{words}"):
        load_dataset(f"s3://{place}{path}", folder=tmp_path / "fetched")


def test_a_bucket_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"s3://no-such-bucket/x: (not found|no file is there)"):
        load_dataset("s3://no-such-bucket/x", folder=tmp_path / "fetched")


def test_a_message_about_the_content_names_the_uri(place: str, storage: Storage, tmp_path: Path) -> None:
    storage.files().pipe(f"{place}/short/log", b"one line\n")
    with pytest.raises(InvalidInputError, match=f"^s3://{place}/short: 1 lines are too few"):
        load_dataset(f"s3://{place}/short", folder=tmp_path / "fetched")


def test_wrong_credentials_are_told(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a guess")
    with pytest.raises(InvalidInputError, match=f"s3://{place}: must not be read with these credentials"):
        load_dataset(f"s3://{place}", folder=tmp_path / "fetched")


def test_a_storage_that_is_away_is_no_wrong_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(LogwardenError, match=r"s3://logs: cannot be fetched: EndpointConnectionError") as away:
        load_dataset("s3://logs", folder=tmp_path / "fetched")
    assert not isinstance(away.value, InvalidInputError)


def test_a_training_that_was_killed_goes_on_with_the_same_files(place: str, storage: Storage, tmp_path: Path) -> None:
    folder = tmp_path / "fetched"

    def be_killed() -> None:
        with kept_until_done(folder):
            load_dataset(f"s3://{place}", folder=folder)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        be_killed()
    storage.files().pipe(f"{place}/later", b"a later line\n" * 50)
    said: list[str] = []
    with kept_until_done(folder):
        assert len(all_lines(load_dataset(f"s3://{place}", folder=folder, say=said.append))) == 200
    assert said[0].startswith(f"going on with what was fetched from s3://{place} at ")
    assert not folder.exists()


@pytest.mark.train
def test_the_command_line_trains_on_it(place: str, storage: Storage, tmp_path: Path) -> None:
    environment = {**os.environ, "LOGWARDEN_DATA_DIR": str(tmp_path / "data"), **storage.environment}
    command = [sys.executable, "-m", "logwarden", "train", "--data", f"s3://{place}", "--steps", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    assert f"fetching 2 files from s3://{place}" in done.stderr
    assert not (tmp_path / "data" / "training" / "default" / ".logwarden-data").exists()
