"""The language model as serving sees it: a small T5, run by onnxruntime or, on a GPU, by torch.

Training and export are in :mod:`logwarden.training.language`; here only :mod:`.torch_network` imports torch.
"""

from __future__ import annotations

from logwarden.language.formulation import ANOMALY, DETECT, EXPLAIN, NORMAL, Formulation
from logwarden.language.model import LanguageModel, Network

__all__ = ["ANOMALY", "DETECT", "EXPLAIN", "NORMAL", "Formulation", "LanguageModel", "Network"]
