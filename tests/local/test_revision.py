"""Watching for a newly active revision."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from logwarden.api.anomaly_model import AnomalyModel
from logwarden.detect import DetectionModel
from logwarden.errors import LogwardenError
from logwarden.local import revision
from logwarden.local.revision import RevisionWatch, choose_revision, registry_of
from logwarden.revisions import Registry, Revision, open_revision
from logwarden.revisions.remote import RemoteRegistry
from logwarden.training.spec import storage_of

from .conftest import MODEL, SECONDS
from .test_up import variant

if TYPE_CHECKING:
    from tests.services.s3 import Storage


def anomaly_model(**spec: object) -> AnomalyModel:
    return AnomalyModel.model_validate(
        {"apiVersion": "logwarden.dev/v1alpha1", "kind": "AnomalyModel", "metadata": {"name": "test"}, "spec": spec}
    )


def test_revisions_are_read_where_the_training_put_them(tmp_path: Path) -> None:
    folder, default = tmp_path / "a folder", tmp_path / "default"
    active = variant(MODEL, folder, 0.1)
    Registry(folder).promote(active)
    resource = anomaly_model(storage={"uri": folder.as_uri()})
    assert str(registry_of(resource, default)) == str(storage_of(resource, "model.yaml")) == str(folder)
    assert choose_revision(resource, registry_of(resource, default)).id == active


@pytest.mark.parametrize("storage", [{}, {"uri": "pvc://models"}])
def test_revisions_without_a_folder_on_this_machine_are_read_from_the_usual_one(
    storage: dict[str, str], tmp_path: Path
) -> None:
    assert registry_of(anomaly_model(storage=storage), tmp_path).root == tmp_path


def test_a_defect_while_loading_does_not_end_the_watch(
    tmp_path: Path, model: DetectionModel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    root = tmp_path / "models"
    first, second = variant(MODEL, root, 0.1), variant(MODEL, root, 0.2)
    load = revision.load

    def load_all_but_the_first(found: Revision, device: str | None) -> DetectionModel:
        if found.id == first:
            raise RuntimeError("a defect")
        return load(found, device)

    monkeypatch.setattr(revision, "load", load_all_but_the_first)
    monkeypatch.setattr(Registry, "poll_seconds", 0.02)
    resource = anomaly_model()
    watch = RevisionWatch(resource, Registry(root), model.revision)
    Registry(root).promote(first)
    until = time.monotonic() + SECONDS
    while "a defect" not in caplog.text:
        assert time.monotonic() < until
        time.sleep(0.02)
    Registry(root).promote(second)
    while (new := watch.take()) is None:
        assert time.monotonic() < until
        time.sleep(0.02)
    watch.stop()
    assert new.revision == second
    assert watch.take() is None


def test_a_revision_that_could_not_be_fetched_is_tried_again(
    tmp_path: Path, model: DetectionModel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    root = tmp_path / "models"
    active = variant(MODEL, root, 0.1)
    fetch, tries = Registry.open, iter([True, True, True])

    def fetch_later(registry: Registry, ref: str) -> Revision:
        if next(tries, False):
            raise LogwardenError("the storage is away")
        return fetch(registry, ref)

    monkeypatch.setattr(Registry, "open", fetch_later)
    monkeypatch.setattr(Registry, "poll_seconds", 0.02)
    watch = RevisionWatch(anomaly_model(), Registry(root), model.revision)
    (root / "active.json").write_text(f'{{"promotions": [{{"id": "{active}", "time": "2026-11-28T00:00:00Z"}}]}}')
    until = time.monotonic() + SECONDS
    while (new := watch.take()) is None:
        assert time.monotonic() < until
        time.sleep(0.02)
    watch.stop()
    assert new.revision == active
    assert caplog.text.count("the storage is away") == 1


@pytest.mark.s3
def test_a_revision_that_becomes_active_in_object_storage_is_taken_over(
    tmp_path: Path, model: DetectionModel, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(RemoteRegistry, "poll_seconds", 0.1)
    resource = anomaly_model(storage={"uri": "s3://logs/taken-over"})
    registry = registry_of(resource, tmp_path)
    assert choose_revision(resource, registry).id == model.revision  # the packaged one: none is active yet
    watch = RevisionWatch(resource, registry, model.revision)
    trainer = RemoteRegistry("s3://logs/taken-over", tmp_path / "trainer")
    trainer.add(open_revision(trainer.root / variant(MODEL, trainer.root, 0.3)))
    promoted = trainer.promote("latest").id
    until = time.monotonic() + SECONDS
    while (new := watch.take()) is None:
        assert time.monotonic() < until
        time.sleep(0.05)
    watch.stop()
    assert new.revision == promoted
