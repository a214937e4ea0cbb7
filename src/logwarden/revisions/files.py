"""Durable and atomic file operations."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

CHUNK = 1024 * 1024
TEMPORARY_PREFIX = ".tmp-"


def temporary_beside(target: Path) -> Path:
    """Return an unused hidden name in the folder of ``target``; a rename from it to ``target`` is atomic."""
    return target.with_name(f"{TEMPORARY_PREFIX}{target.name}-{secrets.token_hex(6)}")


def replace_file(target: Path, data: bytes) -> None:
    """Write a small file so that readers see the old content or the new, also after a power cut."""
    temporary = temporary_beside(target)
    try:
        write_durably(temporary, data)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(target.parent)


def write_durably(path: Path, data: bytes) -> None:
    """Write a file and wait until the disk has it."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def copy_durably(source: BinaryIO, target: Path) -> tuple[str, int]:
    """Copy a stream to a new file and wait until the disk has it; return its SHA-256 and its bytes."""
    digest, size = hashlib.sha256(), 0
    with target.open("xb") as file:
        while chunk := source.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest(), size


def sync_folder(folder: Path) -> None:
    """Wait until the disk has the names in a folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Wait until the disk has the names in a folder and in all folders below."""
    for path, _, _ in os.walk(folder):
        sync_folder(Path(path))


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def walk_files(folder: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield (path with ``/``, entry) of everything below a folder that is not a plain folder, symlinks included."""
    stack = [("", folder)]
    while stack:
        prefix, current = stack.pop()
        with os.scandir(current) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    stack.append((f"{prefix}{entry.name}/", Path(entry.path)))
                else:
                    yield f"{prefix}{entry.name}", entry
