"""A model for tests of the loop."""

from __future__ import annotations

import pytest

from logwarden.detect import DetectionModel
from logwarden.revisions import open_revision
from tests.local.conftest import MODEL


@pytest.fixture(scope="session")
def model() -> DetectionModel:
    """The revision to test with, loaded."""
    return DetectionModel.load(open_revision(MODEL))
