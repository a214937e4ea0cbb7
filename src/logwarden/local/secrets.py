"""Values of Secrets on one machine: a folder as Kubernetes mounts it, ``FOLDER/NAME/KEY``."""

from __future__ import annotations

from pathlib import Path

from logwarden.api.log_pipeline import LogPipeline
from logwarden.errors import InvalidInputError


def read_secret(folder: Path | None, name: str, key: str, field: str) -> str:
    """Return the value of a Secret's key, without the line end.

    Raises
    ------
    InvalidInputError
        If there is no such file, or it is empty; ``field`` is the field of the resource that asks for it.
    """
    if folder is None:
        raise InvalidInputError(
            f"{field} names the Secret {name}: put its value into DIR/{name}/{key} and start with --secrets DIR, "
            "or remove the field"
        )
    file = folder / name / key
    try:
        value = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise InvalidInputError(f"{field} names the Secret {name}, but {file} cannot be read: {reason}") from None
    if not value:
        raise InvalidInputError(f"{field} names the Secret {name}, but {file} is empty: put the value into it")
    return value


def secret_file(folder: Path | None, name: str, key: str, field: str) -> Path:
    """Return the file of a Secret's key, for what is read again when it changes; raises as :func:`read_secret`."""
    read_secret(folder, name, key, field)
    assert folder is not None
    return folder / name / key


def store_of(pipeline: LogPipeline, secrets: Path | None, otherwise: Path | str) -> Path | str:
    """Return the URL of the database that a pipeline names, or ``otherwise`` where it names none."""
    ref = pipeline.spec.store.database_secret_ref
    return otherwise if ref is None else read_secret(secrets, ref.name, ref.key, "spec.store.databaseSecretRef")
