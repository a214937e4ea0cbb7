"""Detection in files while they grow."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping

from logwarden.detect import Detector
from logwarden.detect.history import StoreSink
from logwarden.events import Batch
from logwarden.outcome import Outcome
from logwarden.sources.files import stream_name
from logwarden.sources.follow import Begun, Ended, Identity, Item, Quiet

_COMMIT_SECONDS = 1.0


def judged(items: Iterable[Item], detector: Detector, sink: StoreSink | None) -> Iterator[Outcome]:
    """Yield what a detector makes of followed files.

    With a sink, lines that an earlier run has committed are left out, and about once a second everything is committed
    together with how far it was read: whatever happens to this process, the next one goes on from there. The outcomes
    have to reach the sink before the next one is asked for.
    """
    committed = time.monotonic()
    for item in items:
        yield _judge(item, detector, sink)
        if sink is not None and time.monotonic() - committed >= _COMMIT_SECONDS:
            sink.commit()
            committed = time.monotonic()


def _judge(item: Item, detector: Detector, sink: StoreSink | None) -> Outcome:
    if isinstance(item, Batch):
        return _read(item, detector, sink)
    if isinstance(item, Quiet):
        return detector.pass_time(item.stream, item.seconds)
    if isinstance(item, Ended):
        return detector.end(item.stream)
    if sink is not None:
        sink.positions.update(_saved(item))
    return Outcome()


def _read(batch: Batch, detector: Detector, sink: StoreSink | None) -> Outcome:
    if sink is None:
        return detector.process(batch)
    rest = sink.rest_of(batch)
    if not rest.lines:
        return Outcome()
    sink.reach(rest)
    return detector.process(rest)


def _saved(begun: Begun) -> dict[str, int]:
    """Return who a file is, as values that a checkpoint keeps beside positions."""
    return {_key(begun.path, name): value for name, value in begun.identity._asdict().items()}


def _key(path: str, name: str) -> str:
    return f"{stream_name(path)}/{name}"


def known_files(paths: Iterable[str], positions: Mapping[str, int]) -> dict[str, Identity]:
    """Return from a checkpoint's positions which file bore each path."""
    found = {}
    for path in paths:
        values = [positions.get(_key(path, name)) for name in Identity._fields]
        if None not in values:
            found[path] = Identity(*(value for value in values if value is not None))
    return found
