"""Masking: what varies in a message becomes words, so that messages of one kind read the same."""

from logwarden.mask.text import MASK_VERSION, line_text, mask

__all__ = ["MASK_VERSION", "line_text", "mask"]
