"""The embedded hand-off between listeners and the detector: one topic partition on disk.

Listeners append lines, a writer thread makes them durable, a reader hands them on. Everything that a detector's result
depends on is in the spool, the ticks of the clock too, so that reading it again gives the same result again.

Lines are numbered from 0 by *position*. Blocks (a run of lines of one listener, a tick, an end mark) are numbered from
0 as well: a consumer resumes at a block. See :mod:`logwarden.sources.spool_format` for the bytes.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple

from logwarden.errors import LogwardenError
from logwarden.sources.base import Clock, Item, SystemClock, keep_promises
from logwarden.sources.spool_format import (
    HEADER,
    MAX_BLOCK_LINES,
    Draft,
    Header,
    Kind,
    blocks,
    decode,
    encode,
    last_time,
    listener_of,
    read_header,
    read_payload,
    seal,
)

STREAM = "netlogs-raw/0"
_SUFFIX = ".spool"
_SYNC_SECONDS = 0.05
_TICK_SECONDS = 1.0
_BLOCK_BYTES = 4 * 1024 * 1024
# What a line takes in memory besides its bytes: the object, the time, the references.
_LINE_COST = 100
_RETRY_SECONDS = 1.0
_RETAIN_SECONDS = 1.0
_NOT_WRITTEN = "the lines could not be written to disk"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SpoolLimits:
    """How much a spool keeps.

    Attributes
    ----------
    disk_bytes
        The spool never grows beyond this. Consumed segments are removed to make room; when none is left, the spool is
        *crowded* and listeners have to slow down.
    keep_seconds
        Consumed segments older than this are removed.
    segment_bytes
        Size at which a new segment file is begun.
    waiting_bytes
        Bytes that may wait in memory for the disk before the spool is crowded.
    """

    disk_bytes: int = 1024**3
    keep_seconds: float = 7 * 86400.0
    segment_bytes: int = 16 * 1024**2
    waiting_bytes: int = 16 * 1024**2


class _Segment(NamedTuple):
    path: Path
    first_block: int


class _Part(NamedTuple):
    """Lines that fit into one block."""

    kind: Kind
    listener: str
    reason: str
    lines: Sequence[bytes]
    peers: Sequence[str]
    received: Sequence[float] | None
    shift: float
    size: int


class Spool:
    """The writing side. One process at a time has a spool open.

    Used as a context manager: only inside it lines are taken and the clock ticks, so ``clock`` may be set before.

    Parameters
    ----------
    folder
        Where the segments are; made if absent.
    clock
        Gives the receive times and the ticks. Times never go back, whatever the clock does.
    limits
        See :class:`SpoolLimits`.
    resume_position, resume_block
        Where a consumer goes on. Numbering starts there if the spool itself is shorter (its files were removed), so
        that no position is given twice.

    Raises
    ------
    LogwardenError
        If another process has the spool open.
    """

    def __init__(
        self,
        folder: Path,
        *,
        clock: Clock | None = None,
        limits: SpoolLimits | None = None,
        resume_position: int = 0,
        resume_block: int = 0,
    ) -> None:
        self.folder = folder
        self.clock = clock or SystemClock()
        self.counts: Counter[str] = Counter()
        """Lines by listener since the spool began; malformed ones by ``NAME/malformed``, end marks by ``NAME/end``."""
        self._limits = limits or SpoolLimits()
        folder.mkdir(parents=True, exist_ok=True)
        self._lock_file = _lock(folder)
        self._changed = threading.Condition()
        self._waiting: list[Draft] = []
        self._waiting_bytes = 0
        self._promises: list[Future[None]] = []
        self._closing = False
        self._dead = False
        self._full = False
        self._error = ""
        self._retain_error = ""
        self._last_time = 0.0
        self._last_tick = 0.0
        self._position, self._block = resume_position, resume_block
        self._consumed = 0
        self._file: BinaryIO | None = None
        self._file_bytes = 0
        self._recover()
        self._durable_block = self._block
        self._thread = threading.Thread(target=self._write_loop, name="spool", daemon=True)
        self._retained_at = 0.0

    def __enter__(self) -> Spool:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def end_block(self) -> int:
        """Number of the block after the last durable one."""
        return self._durable_block

    @property
    def last_time(self) -> float:
        """Latest time in the spool, Unix seconds; 0 if it is empty."""
        return self._last_time

    @property
    def crowded(self) -> bool:
        """True while the disk is slow, full or failing, or the limit is reached."""
        return self._full or bool(self._error) or self._waiting_bytes >= self._limits.waiting_bytes

    @property
    def problem(self) -> str:
        """Why the spool does not take lines at the moment, in words; empty if it does."""
        if self._error:
            return f"cannot write to {self.folder}: {self._error}"
        if self._full:
            return f"{self.folder} holds {self._limits.disk_bytes:,} bytes that the detector has not yet read"
        return ""

    def append(
        self,
        listener: str,
        lines: Sequence[bytes],
        peers: str | Sequence[str] = "",
        *,
        received: Sequence[float] | None = None,
        shift: float = 0.0,
        keys: Sequence[str] | None = None,
        reason: str = "",
        late: bool = False,
    ) -> None:
        """See :class:`logwarden.sources.listening.Intake`; ``keys`` mean nothing, as there is one partition.

        ``received`` are receive times in Unix seconds, the clock's by default; ``shift`` is what a replay has added to
        them, see :class:`logwarden.events.Batch`.
        """
        senders = [peers] * len(lines) if isinstance(peers, str) else peers
        if reason:
            kind = Kind.MALFORMED
        elif shift:
            kind = Kind.REPLAYED_LINES
        else:
            kind = Kind.LATE_LINES if late else Kind.LINES
        with self._changed:
            self._check_open()
            for part, size in _parts(lines):
                times = None if received is None else received[part]
                self._add(_Part(kind, listener, reason, lines[part], senders[part], times, shift, size))
            self._changed.notify_all()

    def end(self, name: str) -> None:
        """Mark that the lines so far are complete, see :class:`logwarden.sources.base.End`."""
        with self._changed:
            self._check_open()
            self._waiting.append(Draft(Kind.END, name))
            self._changed.notify_all()

    def durable(self) -> Future[None]:
        """See :class:`logwarden.sources.listening.Intake`: safe is what is on disk.

        It cannot come when the spool was closed, or its writer has stopped.
        """
        promise: Future[None] = Future()
        with self._changed:
            self._check_open()
            if not self._dead:
                self._promises.append(promise)
                self._changed.notify_all()
                return promise
        keep_promises([promise], LogwardenError(_NOT_WRITTEN))
        return promise

    def consumed(self, block: int) -> None:
        """Say that the consumer has durably stored what it made of all blocks before ``block``."""
        self._consumed = block

    def wait_for(self, block: int, timeout: float) -> bool:
        """Wait until ``block`` is durable; False after ``timeout`` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._durable_block > block or self._closing, timeout)

    def close(self) -> None:
        """Write what waits, then close."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()
        if self._file is not None:
            self._file.close()
        self._lock_file.close()

    # ------------------------------------------------------------------ filling

    def _check_open(self) -> None:
        if self._closing:
            raise LogwardenError("the spool is closed")

    def _add(self, part: _Part) -> None:
        draft = self._open_draft(part)
        if part.received is None:
            draft.received += [self._stamp()] * len(part.lines)
        else:
            draft.received += [self._not_before(time) for time in part.received]
        draft.peers += part.peers
        draft.lines += part.lines
        draft.size += part.size
        self._waiting_bytes += part.size

    def _open_draft(self, part: _Part) -> Draft:
        if self._waiting:
            last = self._waiting[-1]
            same = (last.kind, last.listener, last.reason, last.shift) == (
                part.kind,
                part.listener,
                part.reason,
                part.shift,
            )
            fits = len(last.lines) + len(part.lines) <= MAX_BLOCK_LINES and last.size + part.size <= _BLOCK_BYTES
            if same and fits:
                return last
        draft = Draft(part.kind, part.listener, part.reason, part.shift)
        self._waiting.append(draft)
        return draft

    def _stamp(self) -> float:
        return self._not_before(self.clock.now())

    def _not_before(self, time: float) -> float:
        if time > self._last_time:
            self._last_time = time
        return self._last_time

    def _tick_if_due(self) -> None:
        now = self._stamp()
        if now - self._last_tick >= _TICK_SECONDS:
            self._last_tick = now
            self._waiting.append(Draft(Kind.TICK, received=[now]))

    # ------------------------------------------------------------------ writing

    def _write_loop(self) -> None:
        try:
            while self._write_round():
                time.sleep(_SYNC_SECONDS)
        except Exception as error:
            _log.exception("the spool in %s has stopped", self.folder)
            self._die(error)

    def _write_round(self) -> bool:
        """Write what waits; False after the last round."""
        drafts, promises, last_round = self._collect()
        try:
            written = self._write_until_done(drafts)
            self._publish(drafts)
        except Exception:
            with self._changed:
                self._promises[:0] = promises  # whoever waits is told after the reason is known, see _die
            raise
        keep_promises(promises, None if written else LogwardenError(_NOT_WRITTEN))
        self._retain_if_due()
        return not last_round

    def _die(self, error: Exception) -> None:
        """Take no more lines, and tell everybody who waits."""
        with self._changed:
            self._dead = True
            self._error = f"{type(error).__name__}: {error}"
            promises, self._promises = self._promises, []
            self._changed.notify_all()
        keep_promises(promises, LogwardenError(_NOT_WRITTEN))

    def _write_until_done(self, drafts: list[Draft]) -> bool:
        """Write ``drafts``, again and again if the disk refuses; False if the spool is closed before that."""
        while drafts:
            try:
                self._write(drafts)
                break
            except OSError as error:
                self._failed(error)
                if self._closing:
                    _log.error("%d lines were not written", sum(len(draft.lines) for draft in drafts))
                    return False
                time.sleep(_RETRY_SECONDS)
        return True

    def _collect(self) -> tuple[list[Draft], list[Future[None]], bool]:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._promises or self._closing, _SYNC_SECONDS)
            if not self._closing:
                self._tick_if_due()
            drafts, self._waiting = self._waiting, []
            promises, self._promises = self._promises, []
            return drafts, promises, self._closing

    def _write(self, drafts: list[Draft]) -> None:
        """Append blocks and sync; on an error the file is as it was."""
        file = self._segment()
        position, number = self._position, self._block
        parts = []
        for draft in drafts:
            parts.append(encode(draft, position, number))
            position, number = position + len(draft.lines), number + 1
        data = b"".join(parts)
        try:
            _write_all(file, data)
            os.fdatasync(file.fileno())
        except OSError:
            file.truncate(self._file_bytes)
            file.seek(self._file_bytes)
            raise
        self._file_bytes += len(data)
        self._position, self._block = position, number
        for draft in drafts:
            if draft.kind is not Kind.TICK:
                self.counts[_count_key(draft.kind, draft.listener)] += len(draft.lines) or 1

    def _publish(self, drafts: list[Draft]) -> None:
        with self._changed:
            self._error = ""
            self._durable_block = self._block
            self._waiting_bytes -= sum(draft.size for draft in drafts)
            self._changed.notify_all()

    def _failed(self, error: OSError) -> None:
        if not self._error:
            _log.error("cannot write to %s: %s; trying again", self.folder, error)
        self._error = error.strerror or str(error)

    def _segment(self) -> BinaryIO:
        if self._file is not None and self._file_bytes < self._limits.segment_bytes:
            return self._file
        path = self.folder / f"{self._block:020d}{_SUFFIX}"
        preamble = seal(Kind.PREAMBLE, 0, self._position, self._block, json.dumps(self.counts).encode())
        file = path.open("wb", buffering=0)
        try:
            _write_all(file, preamble)
            _sync_folder(self.folder)
        except OSError:
            file.close()
            path.unlink(missing_ok=True)
            raise
        if self._file is not None:
            self._file.close()
        self._file, self._file_bytes = file, len(preamble)
        return file

    # ------------------------------------------------------------------ keeping

    def _retain_if_due(self) -> None:
        if time.monotonic() - self._retained_at >= _RETAIN_SECONDS:
            self._retained_at = time.monotonic()
            error = self._try_to_retain()
            if error and error != self._retain_error:
                _log.error("old segments of %s cannot be removed: %s; trying again", self.folder, error)
            self._retain_error = error

    def _try_to_retain(self) -> str:
        try:
            self._retain()
        except OSError as error:
            return error.strerror or str(error)
        return ""

    def _retain(self) -> None:
        segments = _segments(self.folder)
        sizes = [segment.path.stat().st_size for segment in segments]
        total = sum(sizes)
        oldest_kept = time.time() - self._limits.keep_seconds
        try:
            for segment, following, size in zip(segments, segments[1:], sizes, strict=False):
                over = total + self._limits.segment_bytes > self._limits.disk_bytes
                if following.first_block > self._consumed or not (over or segment.path.stat().st_mtime < oldest_kept):
                    break
                segment.path.unlink()
                total -= size
        finally:
            self._full = total >= self._limits.disk_bytes

    # ------------------------------------------------------------------ opening

    def _recover(self) -> None:
        """Find the end of the spool, cut a torn tail, go on in the last segment."""
        segments = _segments(self.folder)
        while segments:
            segment = segments.pop()
            if self._reopen(segment.path):
                return
            segment.path.rename(segment.path.with_suffix(".damaged"))  # not even its preamble is whole

    def _reopen(self, path: Path) -> bool:
        end, position, number = 0, 0, 0
        with path.open("rb") as file:
            for end, header, payload in blocks(file):  # noqa: B007 - the last end is used below
                position, number = header.position + header.lines, header.number + header.takes_number
                self._take_note(header, payload)
        if not end:
            return False
        torn = path.stat().st_size - end
        if torn:
            _log.warning("%s: cut %d bytes that were not completely written before a crash", path, torn)
            os.truncate(path, end)
        if number < self._block or position < self._position:
            return True  # the consumer is ahead: go on in a new segment at its place
        self._position, self._block = position, number
        self._file, self._file_bytes = path.open("ab", buffering=0), end
        return True

    def _take_note(self, header: Header, payload: bytes) -> None:
        if header.kind is Kind.PREAMBLE:
            self.counts = Counter(json.loads(payload))
            return
        self._not_before(last_time(header, payload) or 0.0)
        self._last_tick = self._last_time
        if header.kind is not Kind.TICK:
            self.counts[_count_key(header.kind, listener_of(header, payload))] += header.lines or 1


class SpoolReader:
    """The reading side, for one consumer.

    Parameters
    ----------
    folder
        The spool's folder.
    spool
        The writing side when it is in this process: then only what is safely on disk is read, without polling.
    """

    def __init__(self, folder: Path, spool: Spool | None = None) -> None:
        self._folder = folder
        self._spool = spool
        self._file: BinaryIO | None = None
        self._next = -1

    def read(self, block: int, *, max_lines: int = MAX_BLOCK_LINES, timeout: float = 0.0) -> tuple[list[Item], int]:
        """Return what stands from ``block`` on and the number of the block after it.

        Waits up to ``timeout`` seconds for a first block. Reads whole blocks until ``max_lines`` lines are reached.
        If ``block`` has been removed by retention, reading goes on at the oldest block there is.
        """
        if not self._wait(block, timeout):
            return [], block
        items: list[Item] = []
        lines = 0
        while lines < max_lines and (found := self._take(block)) is not None:
            header, payload = found
            items.append(decode(header, payload, STREAM))
            lines += max(header.lines, 1)
            block = header.number + 1
        return items, block

    def start(self) -> int:
        """Return the number of the oldest block that is kept."""
        segments = _segments(self._folder)
        return segments[0].first_block if segments else 0

    def close(self) -> None:
        """Close the file that is being read."""
        if self._file is not None:
            self._file.close()
        self._file, self._next = None, -1

    def _wait(self, block: int, timeout: float) -> bool:
        if self._spool is not None:
            return self._spool.wait_for(block, timeout)
        until = time.monotonic() + timeout
        while not self._seek(block):
            if time.monotonic() >= until:
                return False
            time.sleep(_SYNC_SECONDS)
        return True

    def _take(self, block: int) -> tuple[Header, bytes] | None:
        if self._spool is not None and block >= self._spool.end_block:
            return None
        if not self._seek(block) or self._file is None:
            return None
        while True:
            place = self._file.tell()
            header = read_header(self._file)
            payload = None if header is None else read_payload(self._file, header)
            if header is None or payload is None:
                self._file.seek(place)
                return self._skip_to_next_segment(block)
            if header.takes_number and header.number >= block:
                self._next = header.number + 1
                return header, payload

    def _seek(self, block: int) -> bool:
        """Bring the file to ``block``; False if it is not there yet."""
        if block == self._next and self._file is not None and _more(self._file):
            return True
        segments = _segments(self._folder)
        if block == self._next and (not segments or segments[-1].first_block < block):
            return False  # the end of the last segment
        index = max((i for i, segment in enumerate(segments) if segment.first_block <= block), default=0)
        if not segments:
            return False
        for segment in segments[index:]:
            self.close()
            self._file = segment.path.open("rb")
            for _, header in _headers(self._file):
                if header.takes_number and header.number >= block:
                    self._file.seek(-HEADER.size, os.SEEK_CUR)
                    self._next = header.number
                    return True
        return False

    def _skip_to_next_segment(self, block: int) -> tuple[Header, bytes] | None:
        """Go on after damage on disk; at the end of the last segment there is simply no more yet."""
        following = [segment for segment in _segments(self._folder) if segment.first_block > block]
        if not following:
            self.close()
            return None
        lost = following[0].first_block - block
        _log.error("%s is damaged: %d blocks from block %d on cannot be read", self._folder, lost, block)
        self.close()
        return self._take(following[0].first_block)


def _headers(file: BinaryIO) -> Iterator[tuple[int, Header]]:
    """Yield (place, header) of each block, with the file standing behind that header."""
    while True:
        place = file.tell()
        header = read_header(file)
        if header is None:
            return
        yield place, header
        file.seek(place + HEADER.size + header.length)


def _parts(lines: Sequence[bytes]) -> Iterator[tuple[slice, int]]:
    """Yield (place, size) of runs of lines that fit into a block each; a line larger than a block stands alone."""
    start, size = 0, 0
    for place, line in enumerate(lines):
        cost = len(line) + _LINE_COST
        if place > start and (place - start == MAX_BLOCK_LINES or size + cost > _BLOCK_BYTES):
            yield slice(start, place), size
            start, size = place, 0
        size += cost
    if lines:
        yield slice(start, len(lines)), size


def _more(file: BinaryIO) -> bool:
    return os.fstat(file.fileno()).st_size > file.tell()


def _segments(folder: Path) -> list[_Segment]:
    paths = sorted(folder.glob(f"*{_SUFFIX}"))
    return [_Segment(path, int(path.stem)) for path in paths if path.stem.isdigit()]


def _count_key(kind: Kind, listener: str) -> str:
    return listener + {Kind.END: "/end", Kind.MALFORMED: "/malformed"}.get(kind, "")


def _write_all(file: BinaryIO, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _lock(folder: Path) -> BinaryIO:
    file = (folder / "lock").open("wb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise LogwardenError(
            f"another process uses {folder}: stop the other `logwarden up`, or choose another folder with --data-dir"
        ) from None
    return file


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
