"""Masking: what varies in a message becomes words, so that messages of one kind read the same."""

from logwarden.mask.text import LONGEST, MASK_VERSION, app_of, line_text, mask
from logwarden.mask.words import MASK_WORDS

__all__ = ["LONGEST", "MASK_VERSION", "MASK_WORDS", "app_of", "line_text", "mask"]
