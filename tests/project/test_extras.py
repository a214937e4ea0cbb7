"""What each extra brings along: serving has no training libraries, the operator neither these nor a dashboard."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MINING = {"drain3"}
TRAINING = {"torch", "transformers", "peft", "pyod", "scikit-learn", "accelerate", "scipy"}
SERVING = {"streamlit", "onnxruntime", "sqlalchemy", "numpy", "pandas", "pyarrow"}


def requirements(name: str, extra: str) -> list[Requirement]:
    """What a distribution needs; our own extras are read from pyproject.toml, the others' from what is installed."""
    if name == "logwarden":
        texts = [*PROJECT["dependencies"], *(PROJECT["optional-dependencies"][extra] if extra else [])]
    else:
        texts = metadata.requires(name) or []
    found = map(Requirement, texts)
    return [one for one in found if one.marker is None or one.marker.evaluate({"extra": extra})]


def reachable(extra: str) -> set[str]:
    """Names of all distributions that installing ``logwarden[extra]`` brings along on this system."""
    todo = [("logwarden", extra)]
    seen: set[tuple[str, str]] = set()
    while todo:
        item = todo.pop()
        if item not in seen:
            seen.add(item)
            for need in requirements(*item):
                todo += [(canonicalize_name(need.name), one) for one in ("", *need.extras)]
    return {name for name, _ in seen}


def test_serving_has_no_training_libraries() -> None:
    found = reachable("serve")
    assert {"streamlit", "onnxruntime", "sqlalchemy", "pydantic"} <= found
    assert found & TRAINING == set()
    assert found >= MINING  # fitting to one's own logs needs no more than this


@pytest.mark.parametrize("extra", ["detect", "ingest"])
def test_what_runs_in_a_pod_has_no_dashboard(extra: str) -> None:
    assert reachable(extra) & (TRAINING | MINING | {"streamlit", "pandas", "pyarrow"}) == set()


def test_the_dashboard_has_no_model_runtime() -> None:
    assert reachable("dashboard") & (TRAINING | {"onnxruntime", "tokenizers"}) == set()


def test_the_operator_has_neither_training_libraries_nor_a_dashboard() -> None:
    found = reachable("operator")
    assert {"kopf", "aiohttp", "pydantic"} <= found
    assert found & (TRAINING | SERVING) == set()


def test_the_plain_install_has_the_contract_and_little_else() -> None:
    found = reachable("")
    assert {"pydantic", "pyyaml", "typer"} <= found
    assert found & (TRAINING | SERVING | {"kopf"}) == set()


@pytest.mark.parametrize("extra", ["train", "dev"])
def test_the_walk_does_find_torch_where_it_belongs(extra: str) -> None:
    assert {"torch", "transformers", "peft", "pyod"} <= reachable(extra)


def test_every_library_is_pinned() -> None:
    pinned = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    assert reachable("dev") - {"logwarden"} - pinned == set()
