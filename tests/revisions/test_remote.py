"""Revisions in S3, on a real server: what a folder of them does, for processes on several machines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

import pytest

from logwarden.errors import InvalidInputError, LogwardenError
from logwarden.revisions import Registry, registry_at, remote
from logwarden.revisions.remote import RemoteRegistry
from tests.datasets.test_lines import write_log
from tests.revisions.builders import make_revision

if TYPE_CHECKING:
    from tests.services.s3 import Storage

pytestmark = [pytest.mark.s3, pytest.mark.usefixtures("storage")]


@pytest.fixture
def uri(request: pytest.FixtureRequest) -> str:
    return f"s3://logs/models-{crc32(request.node.name.encode())}/campus"


@pytest.fixture
def here(uri: str, tmp_path: Path) -> RemoteRegistry:
    return RemoteRegistry(uri, tmp_path / "here")


@pytest.fixture
def there(uri: str, tmp_path: Path) -> RemoteRegistry:
    """The same registry, seen from another machine."""
    return RemoteRegistry(f"{uri}/", tmp_path / "there")


def add(registry: Registry, number: int) -> str:
    revision = make_revision(registry.root, f"w{number}", created=f"2026-11-2{number}T00:00:00Z")
    registry.add(revision)
    return revision.id


def test_a_registry_that_is_not_there_yet_is_empty(here: Registry, uri: str) -> None:
    assert (here.entries(), here.active()) == ([], None)
    with pytest.raises(InvalidInputError, match=f"no model revision in {uri} yet"):
        here.promote("latest")
    with pytest.raises(InvalidInputError, match="nothing to roll back to"):
        here.rollback()
    here.check_writable()
    assert here.entries() == []


def test_what_one_machine_adds_and_promotes_another_opens(here: Registry, there: Registry) -> None:
    first, second = add(here, 1), add(here, 2)
    assert there.active() is None
    here.promote(first)
    assert there.active() == first
    revision = there.open("active", verify=True)
    assert revision.id == first
    assert revision.path.parent == there.root
    assert revision.file("model.onnx").read_text() == "w1"
    assert [(entry.id, entry.active) for entry in there.entries()] == [(second, False), (first, True)]
    there.promote("latest")
    assert here.active() == second
    assert here.rollback().id == there.active() == first


def test_old_revisions_go_but_never_the_active_one_nor_the_one_before(here: Registry, there: Registry) -> None:
    ids = [add(here, number) for number in range(5)]
    here.promote(ids[0])
    here.promote(ids[1])
    assert there.keep(1, always={ids[2]}) == [ids[3]]
    assert {entry.id for entry in here.entries()} == {*ids[:3], ids[4]}
    with pytest.raises(InvalidInputError, match=f"no model revision '{ids[3]}'"):
        here.open(ids[3])


def test_an_upload_that_was_broken_off_is_no_revision(here: Registry, there: Registry, storage: Storage) -> None:
    whole, broken = add(here, 1), add(here, 2)
    storage.files().rm_file(f"{str(here).removeprefix('s3://')}/{broken}/manifest.json")
    assert [(entry.id, bool(entry.problem)) for entry in there.entries()] == [(whole, False), (broken, True)]
    assert there.resolve("latest") == whole
    with pytest.raises(InvalidInputError, match="no model revision there"):
        there.promote(broken)
    assert there.active() is None


def test_a_revision_with_a_missing_object_does_not_become_active(
    here: Registry, there: Registry, storage: Storage
) -> None:
    damaged = add(here, 1)
    there.open(damaged)
    storage.files().rm_file(f"{str(here).removeprefix('s3://')}/{damaged}/model.onnx")
    for registry in (here, there):  # both have a copy that is whole
        with pytest.raises(InvalidInputError, match=f"{here}/{damaged}/model.onnx: missing or damaged"):
            registry.promote(damaged)
    assert here.active() is None


def test_what_was_broken_off_goes_after_a_day(
    here: Registry, there: Registry, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, broken = add(here, 1), add(here, 2)
    storage.files().rm_file(f"{str(here).removeprefix('s3://')}/{broken}/manifest.json")
    there.keep(5)
    assert [entry.id for entry in here.entries()] == [whole, broken]
    monkeypatch.setattr(remote, "LEFTOVER_SECONDS", -60)
    there.keep(5)
    assert [entry.id for entry in here.entries()] == [whole]


def test_a_finished_revision_waits_for_a_storage_that_is_away(
    here: RemoteRegistry, there: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    import s3fs

    put, tries = s3fs.S3FileSystem.put_file, iter([True, True, False])

    def put_later(*arguments: object, **options: object) -> object:
        if next(tries, False):
            raise RuntimeError("nobody answers")
        return put(*arguments, **options)

    monkeypatch.setattr(s3fs.S3FileSystem, "put_file", put_later)
    monkeypatch.setattr(RemoteRegistry, "first_wait_seconds", 0.01)
    assert there.open(add(here, 1), verify=True)


def test_a_revision_that_cannot_be_uploaded_is_kept_and_is_no_wrong_input(
    here: RemoteRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    import s3fs

    here.check_writable()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "expired")
    s3fs.S3FileSystem.clear_instance_cache()
    monkeypatch.setattr(RemoteRegistry, "patience_seconds", 0.0)
    with pytest.raises(LogwardenError, match=f"not allowed.*; the revision lies in {here.root}") as away:
        add(here, 1)
    assert not isinstance(away.value, InvalidInputError)


def test_a_bucket_that_is_not_there_is_named(tmp_path: Path) -> None:
    registry = RemoteRegistry("s3://no-such-bucket/campus", tmp_path)
    for call in (registry.active, registry.entries):
        with pytest.raises(InvalidInputError, match="s3://no-such-bucket/campus: there is no such bucket"):
            call()


def test_a_damaged_pointer_is_named(here: Registry, uri: str, storage: Storage) -> None:
    storage.files().pipe_file(f"{uri.removeprefix('s3://')}/active.json", b"{")
    with pytest.raises(InvalidInputError, match=rf"{uri}/active\.json: damaged"):
        here.active()


def test_missing_credentials_are_asked_for(here: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, os.devnull)
    with pytest.raises(InvalidInputError, match="the download needs AWS_ACCESS_KEY_ID and"):
        here.active()


def test_wrong_credentials_are_told_before_a_training(here: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a guess")
    with pytest.raises(InvalidInputError, match="the upload is not allowed with these credentials"):
        here.check_writable()


def test_a_storage_that_is_away_is_no_wrong_input(here: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(LogwardenError, match="the download failed: EndpointConnectionError") as away:
        here.active()
    assert not isinstance(away.value, InvalidInputError)


@pytest.mark.train
def test_a_training_writes_there_and_the_command_line_shows_it(uri: str, storage: Storage, tmp_path: Path) -> None:
    environment = {**os.environ, **storage.environment, "HOME": str(tmp_path), "LOGWARDEN_DATA_DIR": str(tmp_path)}

    def logwarden(*arguments: str) -> str:
        command = [sys.executable, "-m", "logwarden", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    write_log(tmp_path / "log", 0, 200)
    file = tmp_path / "model.yaml"
    file.write_text(
        "apiVersion: logwarden.dev/v1alpha1\nkind: AnomalyModel\nmetadata: {name: campus}\n"
        f"spec: {{training: {{datasets: [{{uri: '{tmp_path}/log'}}]}}, storage: {{uri: '{uri}'}}, "
        "promotion: {minimumF1: 0}}\n"
    )
    said = logwarden("train", "-f", str(file), "--steps", "0")
    listed = json.loads(logwarden("models", "list", "--root", uri, "--format", "json"))
    assert [entry["active"] for entry in listed] == [True]
    assert f"revision {listed[0]['id']} in {uri}/{listed[0]['id']}" in said
    assert not (tmp_path / "models").exists()
    assert json.loads(logwarden("models", "show", "active", "--root", uri))["id"] == listed[0]["id"]


def test_a_uri_of_a_registry_names_where_it_is(tmp_path: Path) -> None:
    assert str(registry_at("s3://bucket/campus/")) == "s3://bucket/campus"
    assert str(registry_at((tmp_path / "a folder").as_uri())) == str(tmp_path / "a folder")
    assert registry_at("pvc://claim") is None
    assert registry_at(None) is None
