"""Masking: what varies in a message becomes words, so that messages of one kind read the same."""

from logwarden.mask.text import LONGEST, MASK_VERSION, line_text, mask
from logwarden.mask.words import MASK_WORDS

__all__ = ["LONGEST", "MASK_VERSION", "MASK_WORDS", "line_text", "mask"]
