"""The detector: from batches of lines to anomaly records and cases."""

from logwarden.detect.detector import Detector
from logwarden.detect.model import DetectionModel

__all__ = ["DetectionModel", "Detector"]
