"""Privacy: addresses, users and secrets become pseudonyms before a line is kept, sent, judged or shown."""

from logwarden.privacy.intake import MaskingIntake
from logwarden.privacy.masking import Privacy
from logwarden.privacy.pseudonyms import SHORTEST_KEY, Pseudonyms

__all__ = ["SHORTEST_KEY", "MaskingIntake", "Privacy", "Pseudonyms"]
