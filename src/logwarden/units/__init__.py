"""Units: the pieces of a stream that are scored as a whole."""

from logwarden.units.unit import Unit, UnitConfig
from logwarden.units.windows import Windows

__all__ = ["Unit", "UnitConfig", "Windows"]
