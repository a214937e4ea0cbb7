"""A running spool and listeners on free ports."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from logwarden.events import Batch
from logwarden.sources.base import Malformed
from logwarden.sources.listening import Listener, ListenerThread
from logwarden.sources.spool import Spool, SpoolReader

SECONDS = 30.0


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """An empty spool."""
    with Spool(tmp_path / "spool") as running:
        yield running


@pytest.fixture
def serve() -> Iterator[Callable[[Listener], int]]:
    """Start a listener and return its port; it is stopped after the test."""
    with ExitStack() as stack:

        def start(listener: Listener) -> int:
            thread = ListenerThread([listener])
            port = listener.socket.getsockname()[1]
            thread.start()
            stack.callback(thread.stop)
            return int(port)

        yield start


class Collected:
    """Everything in a spool."""

    def __init__(self, spool: Spool) -> None:
        self.batches: list[Batch] = []
        self.malformed: list[Malformed] = []
        reader = SpoolReader(spool.folder, spool)
        block = 0
        while block < spool.end_block:
            items, block = reader.read(block)
            self.batches += [item for item in items if isinstance(item, Batch)]
            self.malformed += [item for item in items if isinstance(item, Malformed)]
        reader.close()

    @property
    def lines(self) -> list[str]:
        """Lines of all batches."""
        return [line for batch in self.batches for line in batch.lines]

    @property
    def reasons(self) -> list[str]:
        """Reasons of all malformed messages."""
        return [line.reason for item in self.malformed for line in item.rejected]

    @property
    def count(self) -> int:
        """Messages, whole or malformed."""
        return len(self.lines) + len(self.reasons)


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until something is true; fail if it does not become so."""
    until = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def collect(spool: Spool) -> Callable[[int], Collected]:
    """Wait until so many messages are in the spool and return them."""

    def collected(count: int) -> Collected:
        wait_for(lambda: Collected(spool).count >= count)
        return Collected(spool)

    return collected
