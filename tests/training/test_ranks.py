"""Several processes on the loopback that train one model, each on its share of every batch."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from logwarden.revisions import Registry
from logwarden.training import language as training
from logwarden.training.language import unique_weighted
from tests.training.tiny import TINY, WORDS, corpus, labelled, tiny_config, weights_of

pytestmark = pytest.mark.train

SECONDS = 500
TUNE = """
import logging
import sys
from pathlib import Path
from logwarden.training.language.ranks import joined
from tests.training.test_ranks import tune
logging.basicConfig(level=logging.INFO)
with joined():
    tune(Path(sys.argv[1]), Path(sys.argv[2]))
"""
STEPS = 24


def tune(base: Path, out: Path, *, steps: int = STEPS, batch_size: int = 5, seed: int = 1) -> Path:
    """Tune without dropout, which would differ between processes; a resume point after every step."""
    examples = labelled(corpus()[::3])
    config = tiny_config(
        lora=training.Lora(rank=4, alpha=16, dropout=0.0), steps=steps, batch_size=batch_size, seed=seed,
        learning_rate=5e-3, evaluate_every=6, checkpoint_seconds=0.0,
    )  # fmt: skip
    return training.fine_tune(base, examples[:-60], examples[-60:], config, out)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lines, weights = unique_weighted(corpus())
    config = tiny_config(size=TINY, steps=60, batch_size=16, learning_rate=5e-3)
    return training.pretrain(lines, weights, config, tmp_path_factory.mktemp("base") / "base", words=WORDS)


@contextmanager
def processes(logs: Path, *command: str) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Start a command as two processes of one training, with the variables that the operator gives to pods."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    started = []
    for rank in range(2):
        with (logs / f"{rank}.log").open("wb") as log:
            environment = {**shared, "RANK": str(rank)}
            arguments = [sys.executable, *command]
            started.append(subprocess.Popen(arguments, env=environment, stdout=log, stderr=subprocess.STDOUT))
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.wait()


def run(logs: Path, *command: str) -> tuple[list[int], str]:
    """Return the exit codes of both processes, and what they said."""
    with processes(logs, *command) as started:
        codes = [process.wait(SECONDS) for process in started]
    return codes, "".join((logs / f"{rank}.log").read_text() for rank in range(2))


def history(folder: Path) -> list[dict[str, float]]:
    return list(json.loads((folder / "training.json").read_text())["history"])


@pytest.fixture(scope="module")
def together(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what two processes made together, of which one was killed on the way."""
    folder = tmp_path_factory.mktemp("together")
    out = folder / "tuned"
    command = ("-c", TUNE, str(base), str(out))
    with processes(folder, *command) as (first, second):
        end = time.monotonic() + SECONDS
        while not any(folder.glob(".tuned.checkpoints/*/state.pt")):
            assert first.poll() is None, (folder / "0.log").read_text()
            assert time.monotonic() < end, "no resume point appeared"
            time.sleep(0.01)
        second.send_signal(signal.SIGKILL)
        assert first.wait(SECONDS) == 1
    assert not out.exists(), "the run ended before it was killed"
    codes, said = run(folder, *command)
    assert codes == [0, 0], said
    assert "resuming at step" in said
    return out


def test_two_processes_take_the_steps_of_one_also_after_the_death_of_one(
    base: Path, together: Path, tmp_path: Path
) -> None:
    """Five texts a batch: one process has three of them, the other two."""
    alone = tune(base, tmp_path / "alone")
    expected, found = history(alone), history(together)
    assert len(expected) == STEPS // 6
    for one, other in zip(expected, found, strict=True):
        assert other == pytest.approx(one, rel=1e-3)
    assert expected[-1]["loss"] < expected[0]["loss"] - 0.05, "nothing was learnt, so nothing was compared"
    weights, others = weights_of(alone), weights_of(together)
    for name, value in weights.items():
        np.testing.assert_allclose(others[name], value, atol=2e-3, err_msg=name)


MEASURE = """
import sys, time
from pathlib import Path
from logwarden.training.language.ranks import joined
with joined() as rank:
    Path(sys.argv[1], f"joined-{rank}").touch()
    while rank == 0 and not Path(sys.argv[1], "measured").exists():
        time.sleep(0.05)
"""
"""All of a training but its steps: rank 0 measures, and the others wait for it to end."""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_the_death_of_one_that_waits_undoes_nothing(tmp_path: Path, how: signal.Signals) -> None:
    with processes(tmp_path, "-c", MEASURE, str(tmp_path)) as (first, second):
        end = time.monotonic() + SECONDS
        while len([*tmp_path.glob("joined-*")]) < 2:
            assert time.monotonic() < end, "they did not meet"
            time.sleep(0.01)
        second.send_signal(how)
        assert second.wait(SECONDS) == -how
        (tmp_path / "measured").touch()
        assert first.wait(SECONDS) == 0, (tmp_path / "0.log").read_text()


REFUSED = """
import sys
from pathlib import Path
from logwarden.errors import InvalidInputError
from logwarden.training.language.ranks import joined
from tests.training.test_ranks import tune
with joined() as rank:
    try:
        tune(Path(sys.argv[1]), Path(sys.argv[2]), batch_size=1)
    except InvalidInputError as error:
        print(f"refused: {error}", flush=True)
    tune(Path(sys.argv[1]), Path(sys.argv[2]), seed=rank)
"""


def test_what_cannot_be_shared_is_refused(base: Path, tmp_path: Path) -> None:
    codes, said = run(tmp_path, "-c", REFUSED, str(base), str(tmp_path / "out"))
    assert 0 not in codes, said
    assert said.count("refused: batch size: found 1, but 2 processes share each batch") == 2, said
    assert "process 1 of this training sees other settings or data than process 0" in said


def test_torchrun_gives_one_revision(base: Path, tmp_path: Path) -> None:
    log = tmp_path / "some.log"
    log.write_text("".join(f"Nov  3 00:{n // 60:02}:{n % 60:02} r1 {line}\n" for n, line in enumerate(corpus())))
    result = tmp_path / "result.json"
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "logwarden", "train",
               "--data", str(log), "--base", str(base), "--steps", "6", "--batch-size", "4",
               "--out", str(tmp_path / "models"), "--work", str(tmp_path / "work"), "--discard-work",
               "--result", str(result)]  # fmt: skip
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    assert [one.id for one in Registry(tmp_path / "models").entries()] == [json.loads(result.read_text())["revision"]]
    assert done.stdout.count("revision ") == 1
    assert not (tmp_path / "work").exists()
