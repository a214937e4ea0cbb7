"""Data sets for training and evaluation: lines with what is known about them."""

from logwarden.datasets.lab import find_recordings
from logwarden.datasets.recording import Incident, Recording

__all__ = ["Incident", "Recording", "find_recordings"]
