"""Units: the pieces of a stream that are scored as a whole."""

from logwarden.units.flows import FlowWords
from logwarden.units.intake import Intake
from logwarden.units.unit import FLOW, LINE, SESSION, WINDOW, Unit, UnitConfig

__all__ = ["FLOW", "LINE", "SESSION", "WINDOW", "FlowWords", "Intake", "Unit", "UnitConfig"]
