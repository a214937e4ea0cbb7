"""A small language model and texts for it, with which a training takes seconds."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np

from logwarden.training.language import Example, ModelSize, TrainingConfig

WORDS = ("NUM", "IP", "IFACE")
TINY = ModelSize(
    width=32, feed_forward=64, heads=2, head_width=16, encoder_layers=1, decoder_layers=1, vocabulary=512, dropout=0.0
)


def tiny_config(**settings: Any) -> TrainingConfig:
    """Return settings for one thread: two of them wait for each other where tests run side by side."""
    return TrainingConfig(**{"size": TINY, "threads": 1, "max_tokens": 48, **settings})


def corpus() -> list[str]:
    """Return some hundred distinct lines as a small network writes them, masked."""
    verbs = ("accepted", "closed", "renewed", "released", "opened", "refreshed")
    things = ("session", "lease", "route", "neighbour", "query", "transfer")
    daemons = ("sshd", "bgpd", "ospfd", "dnsmasq", "nginx", "chronyd")
    tails = ("from IP port NUM", "on IFACE", "after NUM seconds", "for IP")
    return [f"{d}: {v} {t} {e}" for d in daemons for v in verbs for t in things for e in tails]


def labelled(lines: list[str]) -> list[Example]:
    """Return each line as normal and, with a failure in it, as anomalous."""
    normal = [Example("detect", line, "normal") for line in lines]
    odd = [Example("detect", f"{line} failed: panic", "anomaly") for line in lines]
    explained = [Example("explain", f"template {line}", f"{line.split(':')[0]} wrote this") for line in lines[:40]]
    mixed = [*normal, *odd, *explained]
    random.Random(0).shuffle(mixed)
    return mixed


def weights_of(folder: Path) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    return load_file(folder / "model.safetensors")
