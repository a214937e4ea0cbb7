"""From a raw line to its header and message."""

from logwarden.parse.line import MAX_LINE, LineParser
from logwarden.parse.structured import pairs_of

__all__ = ["MAX_LINE", "LineParser", "pairs_of"]
