"""Watching for a newly active revision."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from logwarden.api.anomaly_model import AnomalyModel
from logwarden.detect import DetectionModel
from logwarden.local import revision
from logwarden.local.revision import RevisionWatch
from logwarden.revisions import Registry, Revision

from .conftest import MODEL, SECONDS
from .test_up import variant


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
    monkeypatch.setattr(revision, "_POLL_SECONDS", 0.02)
    resource = AnomalyModel.model_validate(
        {"apiVersion": "logwarden.dev/v1alpha1", "kind": "AnomalyModel", "metadata": {"name": "test"}}
    )
    watch = RevisionWatch(resource, root, model.revision)
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
