"""Everything a detector needs from a model revision."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from logwarden.channels import Ensemble
from logwarden.channels.cache import ModelScores
from logwarden.errors import InvalidInputError
from logwarden.language import LanguageModel
from logwarden.revisions import Revision
from logwarden.templates import Templates
from logwarden.units import UnitConfig

TEMPLATES_FILE = "templates.json"
ENSEMBLE_FILE = "ensemble.json"
LANGUAGE_FOLDER = "language"


@dataclass(frozen=True, slots=True)
class DetectionModel:
    """A loaded revision: what was fitted, the templates and the language model.

    It holds no memory of any stream; each detector gets an ensemble of its own from :meth:`ensemble`. Only the cached
    scores are shared: they depend on nothing but the language model.
    """

    revision: str
    unit: UnitConfig
    templates: Templates
    language: LanguageModel
    scores: ModelScores
    fitted: dict[str, Any]

    @classmethod
    def load(cls, revision: Revision, *, threads: int = 1, device: str | None = None) -> DetectionModel:
        """Load a revision's files. ``threads`` and ``device`` are those of :meth:`LanguageModel.load`.

        Raises
        ------
        InvalidInputError
            If the revision's files do not fit together.
        """
        templates = Templates.from_json((revision.path / TEMPLATES_FILE).read_text(encoding="utf-8"))
        language = LanguageModel.load(revision.path / LANGUAGE_FOLDER, threads=threads, device=device)
        try:
            fitted = json.loads((revision.path / ENSEMBLE_FILE).read_text(encoding="utf-8"))
            model = cls(revision.id, UnitConfig(**fitted["unit"]), templates, language, ModelScores(language), fitted)
            model.ensemble()
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidInputError(
                f"{revision.path / ENSEMBLE_FILE} cannot be read ({error!r}): train the model again"
            ) from error
        return model

    def ensemble(self) -> Ensemble:
        """Return a fresh ensemble, without memory of any stream."""
        return Ensemble.from_json(self.fitted, self.templates, self.scores)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write the fitted values so that equal values give equal bytes."""
    path.write_text(json.dumps(content, sort_keys=True, separators=(",", ":")) + "\n", encoding="utf-8")
