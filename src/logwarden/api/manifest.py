"""The manifest of a model revision: what it was made of, how it was judged, and which files belong to it."""

from __future__ import annotations

import hashlib
import json
import math
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from logwarden.api.anomaly_model import Family
from logwarden.api.record import Score, UnitKind

MANIFEST_NAME = "manifest.json"
ID_LENGTH = 12

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
Uri = Annotated[str, StringConstraints(min_length=1, max_length=2048)]

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,126}")


def _inside_folder(path: str) -> str:
    """Refuse every path that could leave the folder of a revision, or hide in it."""
    if len(path) > 512 or not all(_PART.fullmatch(part) for part in path.split("/")):
        raise ValueError(
            "a file path has parts of letters, digits, dots, underscores and hyphens, separated by '/', "
            "and none begins with a dot or hyphen"
        )
    if path == MANIFEST_NAME:
        raise ValueError(f"{MANIFEST_NAME} cannot list itself")
    return path


def _finite(values: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Refuse NaN and infinity, which JSON cannot hold."""
    stack: list[tuple[str, JsonValue]] = list(values.items())
    while stack:
        name, value = stack.pop()
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{name} is {value}: JSON has no such number, leave it out")
        if isinstance(value, dict):
            stack += [(f"{name}.{key}", item) for key, item in value.items()]
        elif isinstance(value, list):
            stack += [(f"{name}[{index}]", item) for index, item in enumerate(value)]
    return values


FilePath = Annotated[str, AfterValidator(_inside_folder)]
Numbers = Annotated[dict[str, JsonValue], AfterValidator(_finite)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class BaseInfo(_Part):
    """The language model that was tuned."""

    family: Family = Field(description="Architecture of the model.")
    model: Name = Field(description="`builtin`, a Hugging Face id or a URI.")
    revision: str | None = Field(None, description="Commit of the Hugging Face repository, or None.")


class WindowInfo(_Part):
    """Size of a window: it ends at whichever limit comes first."""

    lines: int = Field(ge=1, description="Most lines in a window.")
    seconds: int = Field(ge=1, description="Longest time a window spans.")


class SessionInfo(_Part):
    """How lines are gathered into sessions."""

    key: Name = Field(description="Regular expression that finds the session's key in a line.")
    idle_seconds: int = Field(ge=1, description="A session ends after this time without a line.")


class UnitInfo(_Part):
    """What the revision scores as one. Serving must use the same."""

    kind: UnitKind = Field(description="What is scored as one.")
    window: WindowInfo | None = Field(None, description="Size of a window.")
    session: SessionInfo | None = Field(None, description="How sessions are found.")


class SplitCounts(_Part):
    """Size of one part of the data."""

    lines: int = Field(ge=0, description="Number of lines.")
    units: int = Field(ge=0, description="Number of units.")
    anomalies: int = Field(0, ge=0, description="Number of units labelled anomalous.")


class DataInfo(_Part):
    """One source of training data."""

    uri: Uri = Field(description="Where it was read.")
    format: Name = Field(description="Format it was read as.")
    sha256: Sha256 = Field(description="Hash of its content.")
    license: str | None = Field(None, description="Licence of the data, as an SPDX id.")
    splits: dict[str, SplitCounts] = Field(description="Counts by part: `train`, `validation`, `test`.")


class ThresholdInfo(_Part):
    """The score from which a unit is an anomaly."""

    value: Score = Field(description="The threshold.")
    method: Name = Field(description="`F1`, `Quantile`, the name of a PyOD threshold, or `fixed`.")
    from_: Name = Field(alias="from", description="Data it was set on, such as `validation`, or who set it.")


class FileInfo(_Part):
    """One file of the revision."""

    sha256: Sha256 = Field(description="Hash of the content.")
    size: int = Field(ge=0, description="Bytes.")


class RevisionManifest(_Part):
    """The manifest of a model revision, kept beside its files as `manifest.json`.

    A revision is addressed by its content: ``digest`` covers the files and everything that changes what the model
    answers (base, unit, threshold, versions of mask and text). Metrics, data and times are not part of it, so the
    same training gives the same id.
    """

    schema_version: Literal[1] = Field(1, description="Version of this schema.")
    id: str = Field(pattern=r"^[0-9a-f]{12}$", description="First 12 digits of `digest`.")
    digest: Sha256 = Field(description="Content hash of the revision.")
    name: str | None = Field(None, description="Name of the AnomalyModel it was made for.")
    created: AwareDatetime = Field(description="When it was written.")
    parent: str | None = Field(
        None, pattern=r"^[0-9a-f]{12}$", description="Id of the revision that training started from."
    )
    base: BaseInfo = Field(description="The language model that was tuned.")
    unit: UnitInfo = Field(description="What is scored as one.")
    data: list[DataInfo] = Field(description="What it learned from.")
    split: Name = Field(description="How the data was split, in words.")
    seed: int = Field(ge=0, description="Seed of everything random.")
    training: Numbers = Field(default_factory=dict, description="Settings of the training, such as epochs.")
    libraries: dict[str, str] = Field(description="Versions of the libraries that made it.")
    metrics: Numbers = Field(
        default_factory=dict,
        description="What was measured on the test part: the ensemble, each channel and the baselines.",
    )
    threshold: ThresholdInfo = Field(description="The score from which a unit is an anomaly.")
    mask_version: Name = Field(description="Version of the masking rules. Serving must use the same.")
    text_version: Name = Field(description="Version of the text that the language model reads. Serving too.")
    files: dict[FilePath, FileInfo] = Field(min_length=1, description="All files but this manifest, by path.")

    def computed_digest(self) -> str:
        """Return the content hash that follows from the other fields."""
        return content_digest(self.files, self.model_dump(mode="json", by_alias=True))

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(info.size for info in self.files.values())


_BEHAVIOUR = ("base", "unit", "threshold", "mask_version", "text_version")


def content_digest(files: dict[str, FileInfo], fields: dict[str, Any]) -> str:
    """Return the SHA-256 over (path, hash) of all files in order and over the fields that change answers.

    ``fields`` holds plain JSON values under the manifest's names.
    """
    behaviour = json.dumps({name: fields[name] for name in _BEHAVIOUR}, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(behaviour.encode())
    for path in sorted(files):
        digest.update(f"\n{path}\0{files[path].sha256}".encode())
    return digest.hexdigest()
