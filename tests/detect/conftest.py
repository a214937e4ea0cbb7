"""The packaged model and a recording of the lab."""

from __future__ import annotations

from pathlib import Path

import pytest

from logwarden.datasets import Recording
from logwarden.datasets.lab import read_recording
from logwarden.detect import DetectionModel
from logwarden.revisions import open_revision

RECORDINGS = Path(__file__).resolve().parents[2] / "lab" / "recordings"


@pytest.fixture(scope="session")
def model() -> DetectionModel:
    return DetectionModel.load(open_revision("builtin"))


@pytest.fixture(scope="session")
def recording() -> Recording:
    return read_recording(RECORDINGS / "test-11")
