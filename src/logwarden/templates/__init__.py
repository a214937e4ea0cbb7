"""Templates: ids for kinds of masked lines, mined in training and frozen for serving."""

from logwarden.templates.frozen import WILDCARD, Templates, display_id, template_id
from logwarden.templates.miner import TemplateMiner

__all__ = ["WILDCARD", "TemplateMiner", "Templates", "display_id", "template_id"]
