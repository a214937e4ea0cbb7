"""Units: the pieces of a stream that are scored as a whole."""

from logwarden.units.intake import Intake
from logwarden.units.unit import LINE, SESSION, WINDOW, Unit, UnitConfig

__all__ = ["LINE", "SESSION", "WINDOW", "Intake", "Unit", "UnitConfig"]
