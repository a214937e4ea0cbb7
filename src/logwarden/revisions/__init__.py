"""Model revisions: immutable folders with a manifest, addressed by their content, and the registry that keeps them."""

from __future__ import annotations

from logwarden.revisions.folder import Revision, verify_files, write_revision
from logwarden.revisions.reference import BUILTIN, open_revision, registry_at
from logwarden.revisions.registry import Entry, Registry

__all__ = [
    "BUILTIN", "Entry", "Registry", "Revision", "open_revision", "registry_at", "verify_files", "write_revision",
]  # fmt: skip
