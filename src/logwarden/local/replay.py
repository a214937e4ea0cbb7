"""Replaying a recording through a listener, at a speed that a person can watch.

The recorded receive times are moved to the present: the recording ends at the moment at which its replay ends. So
windows and rates are those of the recorded network, whatever the speed. What has reached the spool is not sent again
after a restart, and keeps its times.
"""

from __future__ import annotations

import json
import logging
import math
import os
import re
import socket
import sys
import threading
import time
from array import array
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from itertools import islice
from pathlib import Path

from logwarden.errors import InvalidInputError
from logwarden.sources.base import MAX_LINE_BYTES
from logwarden.sources.files import read_file
from logwarden.sources.listening import Intake
from logwarden.sources.recording import lines_file
from logwarden.sources.spool import Spool

MAX_SPEED = math.inf
_STATE_FILE = "replays.json"
_ALIGN_SECONDS = 60.0
_SEND_BYTES = 32 * 1024
_WAIT_SECONDS = 0.02
_CLOCK_TOLERANCE = 60.0
_log = logging.getLogger(__name__)


class Recording:
    """The lines of a recording with the times at which they were received, and from whom.

    Raises
    ------
    InvalidInputError
        If ``path`` is neither a recording's folder nor its file of lines, or holds no line.
    """

    def __init__(self, path: Path) -> None:
        file = lines_file(path) if path.is_dir() else path
        if file is None or not file.is_file():
            raise InvalidInputError(f"{path} is no recording: expected a folder with meta.json and lines.log[.gz]")
        self.file = file
        self.name = _slug(path.resolve().name if path.is_dir() else file.name.partition(".")[0])
        self.times = array("d")
        self.peers: list[str] = []
        for received, peer, _ in self.lines():
            self.times.append(received)
            self.peers.append(sys.intern(peer))
        if not self.times:
            raise InvalidInputError(f"{file} has no recorded line: each has to be TIME, ADDRESS, udp or tcp, LINE")

    @property
    def seconds(self) -> float:
        """Time from the first line to the last."""
        return self.times[-1] - self.times[0]

    def lines(self) -> Iterator[tuple[float, str, bytes]]:
        """Yield receive time, sender and raw bytes of each line that a device can have sent in one message."""
        latest = 0.0
        for batch in read_file(str(self.file)):
            if batch.received is None or batch.peers is None:
                return
            for received, peer, text in zip(batch.received, batch.peers, batch.lines, strict=True):
                raw = text.encode("utf-8", "surrogateescape")
                if 0 < len(raw) <= MAX_LINE_BYTES:
                    latest = max(latest, received)
                    yield latest, peer, raw


class Beside:
    """The intake of other listeners while a recording is replayed.

    Their lines are stamped by the replay's clock, which runs at the speed of the replay: it says nothing of theirs.

    Parameters
    ----------
    replay
        What is replayed meanwhile.
    intake
        Where the lines would go without it.
    """

    def __init__(self, replay: Replay, intake: Intake) -> None:
        self._replay = replay
        self._intake = intake

    @property
    def crowded(self) -> bool:
        """See :class:`logwarden.sources.listening.Intake`."""
        return self._intake.crowded

    @property
    def problem(self) -> str:
        """See :class:`logwarden.sources.listening.Intake`."""
        return self._intake.problem

    def append(
        self,
        listener: str,
        lines: Sequence[bytes],
        peers: str | Sequence[str] = "",
        *,
        keys: Sequence[str] | None = None,
        reason: str = "",
        late: bool = False,
    ) -> None:
        """See :class:`logwarden.sources.listening.Intake`."""
        late = late or not self._replay.finished
        self._intake.append(listener, lines, peers, keys=keys, reason=reason, late=late)

    def durable(self) -> Future[None]:
        """See :class:`logwarden.sources.listening.Intake`."""
        return self._intake.durable()


class Replay:
    """A replay under way: the clock of the ingest, the intake of its listener, and the sender.

    Parameters
    ----------
    recording
        What is replayed.
    speed
        Recorded seconds per second; :data:`MAX_SPEED` sends as fast as the listener takes.
    spool
        Where the lines end up; tells how many are there already.
    data_dir
        Keeps by how much the times of each replay are moved.
    stay
        Let the clock stay at the end of the recording, so that results depend on nothing but the recording.

    Raises
    ------
    InvalidInputError
        If the spool holds later lines, between which the recording cannot be put, or what ``data_dir`` keeps is
        damaged.
    """

    def __init__(self, recording: Recording, speed: float, spool: Spool, data_dir: Path, *, stay: bool = False) -> None:
        self.recording = recording
        self.speed = speed
        self.listener = f"replay-{recording.name}"
        self.total = len(recording.times)
        self.done = min(spool.counts[self.listener], self.total)
        """Lines that have reached the spool."""
        self._spool = spool
        self._stay = stay
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._started: float | None = None
        self._start_time = recording.times[min(self.done, self.total - 1)]
        self._shift = self._find_shift(data_dir / _STATE_FILE)

    @property
    def finished(self) -> bool:
        """True when all lines, and the mark of their end, are in the spool."""
        return self.done >= self.total and f"{self.listener}/end" in self._spool.counts

    # ------------------------------------------------------------------ clock

    def now(self) -> float:
        """Return the time of the ingest clock: recorded time moved to the present, then the real time.

        It waits for lines that are late, so that no line is received after its own time.
        """
        if self.done >= self.total:
            return self.recording.times[-1] + self._shift if self._stay else time.time()
        due = self.recording.times[self.done]
        return min(due, self._scaled()) + self._shift

    def _scaled(self) -> float:
        if self._started is None:
            return self._start_time
        if self.speed == MAX_SPEED:
            return MAX_SPEED
        return self._start_time + (time.monotonic() - self._started) * self.speed

    def _find_shift(self, state_file: Path) -> float:
        shifts = _read_shifts(state_file)
        known = shifts.get(self.listener) if self.done else None
        shift = known if known is not None else self._new_shift()
        if self.done < self.total and self._spool.last_time > self._start_time + shift + _CLOCK_TOLERANCE:
            raise InvalidInputError(
                f"{self._spool.folder} holds lines that were received since: replay into a new folder with --data-dir"
            )
        _write_shifts(state_file, shifts | {self.listener: shift})
        return shift

    def _new_shift(self) -> float:
        """Return what to add to recorded times so that they end at the end of the replay, in whole minutes.

        Whole minutes keep each line in the same place of its window, whenever the replay is started.
        """
        last = self.recording.times[-1]
        takes = 0.0 if self.speed == MAX_SPEED else self.recording.seconds / self.speed
        return math.floor((time.time() + takes - last) / _ALIGN_SECONDS) * _ALIGN_SECONDS

    # ------------------------------------------------------------------ intake of the listener

    @property
    def crowded(self) -> bool:
        """See :class:`logwarden.sources.listening.Intake`."""
        return self._spool.crowded

    @property
    def problem(self) -> str:
        """See :class:`logwarden.sources.listening.Intake`."""
        return self._spool.problem

    def append(
        self,
        listener: str,
        lines: Sequence[bytes],
        peers: str | Sequence[str] = "",
        *,
        keys: Sequence[str] | None = None,
        reason: str = "",
        late: bool = False,
    ) -> None:
        """Hand lines to the spool with the times and senders that were recorded."""
        if reason:
            self._spool.append(listener, lines, peers, reason=reason)
            return
        times = self.recording.times[self.done : self.done + len(lines)]
        if len(times) < len(lines):
            self._spool.append(listener, lines, peers, reason="sent to the port of a replay, but not by it")
            return
        senders = self.recording.peers[self.done : self.done + len(lines)]
        moved = [time + self._shift for time in times]
        self._spool.append(listener, lines, senders, received=moved, shift=self._shift)
        self.done += len(lines)

    def durable(self) -> Future[None]:
        """See :class:`logwarden.sources.listening.Intake`."""
        return self._spool.durable()

    # ------------------------------------------------------------------ sending

    def start(self, host: str, port: int) -> None:
        """Begin to send to the listener at this address, in a thread."""
        self._thread = threading.Thread(target=self._run, args=(host, port), name="replay", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop sending."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self, host: str, port: int) -> None:
        self._started = time.monotonic()
        try:
            with socket.create_connection((host, port), timeout=_WAIT_SECONDS) as connection:
                self._send_all(connection)
        except OSError as error:
            _log.error("the replay of %s ended early: %s", self.recording.file, error)
            return
        while self.done < self.total and not self._stop.wait(_WAIT_SECONDS):
            pass
        if self.done >= self.total:
            self._spool.end(self.listener)

    def _send_all(self, connection: socket.socket) -> None:
        waiting: list[bytes] = []
        size = 0
        for received, _, raw in islice(self.recording.lines(), self.done, None):
            if size and (size >= _SEND_BYTES or received > self._scaled()):
                self._send(connection, b"".join(waiting))
                waiting, size = [], 0
            if not self._wait_until(received):
                return
            waiting.append(b"%d %b" % (len(raw), raw))
            size += len(raw)
        self._send(connection, b"".join(waiting))

    def _wait_until(self, received: float) -> bool:
        while not self._stop.is_set():
            if received <= self._scaled():
                return True
            time.sleep(_WAIT_SECONDS)
        return False

    def _send(self, connection: socket.socket, data: bytes) -> None:
        rest = memoryview(data)
        while rest and not self._stop.is_set():
            try:
                rest = rest[connection.send(rest) :]
            except TimeoutError:
                continue  # the listener is slowing us down


def _read_shifts(file: Path) -> dict[str, float]:
    """Return by how much the times of each replay are moved."""
    try:
        shifts = json.loads(file.read_text()) if file.is_file() else {}
        return {str(name): float(shift) for name, shift in shifts.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidInputError(
            f"{file} is damaged ({error}): replay into a new folder with --data-dir, or remove the file and the spool"
        ) from None


def _write_shifts(file: Path, shifts: dict[str, float]) -> None:
    """Replace the file in one step, so that a crash leaves the old one or the new one."""
    partial = file.with_name(f"{file.name}.partial")
    with partial.open("w") as opened:
        opened.write(json.dumps(shifts, indent=1) + "\n")
        opened.flush()
        os.fsync(opened.fileno())
    partial.replace(file)


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "recording"
