"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of public data sets that is not part of the project; tests that need it skip where it is absent."""
    path = Path(os.environ.get("LOGWARDEN_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not path.is_dir():
        pytest.skip(f"public data sets not found at {path} (set LOGWARDEN_SHARED_DATA)")
    return path
