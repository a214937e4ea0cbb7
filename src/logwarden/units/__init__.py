"""Units: the pieces of a stream that are scored as a whole."""

from logwarden.units.intake import Intake
from logwarden.units.unit import Unit, UnitConfig

__all__ = ["Intake", "Unit", "UnitConfig"]
