"""From a raw line to its header and message."""

from logwarden.parse.line import MAX_LINE, LineParser

__all__ = ["MAX_LINE", "LineParser"]
