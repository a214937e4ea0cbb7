"""Data sets for training and evaluation: lines with what is known about them, in three parts by time."""

from logwarden.datasets.collected import RawTopic, load_collected
from logwarden.datasets.dataset import PARTS, Dataset, summary, together
from logwarden.datasets.kept import kept_until_done
from logwarden.datasets.loading import FORMATS, load_dataset
from logwarden.datasets.recording import FileLines, Incident, Recording

__all__ = [
    "FORMATS",
    "PARTS",
    "Dataset",
    "FileLines",
    "Incident",
    "RawTopic",
    "Recording",
    "kept_until_done",
    "load_collected",
    "load_dataset",
    "summary",
    "together",
]
