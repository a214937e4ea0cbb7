"""Where listeners put lines when Kafka carries them: the counterpart of the spool."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import TracebackType

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException, Message

from logwarden.errors import LogwardenError
from logwarden.kafka import envelope
from logwarden.kafka.clients import new_client
from logwarden.kafka.errors import KafkaUnusableError, LastError, plain
from logwarden.kafka.settings import KafkaSettings
from logwarden.sources.base import Clock, SystemClock, keep_promises

_CONFIG = {
    "acks": "all",
    "enable.idempotence": True,
    "compression.type": "lz4",
    "linger.ms": 10,
    # A line is kept until Kafka has it, however long that takes: what may wait is limited by ``crowded``.
    "message.timeout.ms": 0,
    "queue.buffering.max.messages": 0,
    "queue.buffering.max.kbytes": 1024 * 1024,
}
_POLL_SECONDS = 0.1
_RETRY_SECONDS = 1.0
_SLOW_SECONDS = 5.0
# What a line takes in memory besides its bytes.
_LINE_COST = 200
_REFUSED_FOR_EVER = (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD, KafkaError.INVALID_MSG)
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Append:
    """Lines of one call that Kafka has not yet acknowledged."""

    pending: int
    size: int
    began: float
    refused: str = ""
    promises: list[Future[None]] = field(default_factory=list)


class Producer:
    """Writes lines to the raw topic, in envelopes, keyed by sender so that a device stays in one partition.

    An intake of listeners (:class:`logwarden.sources.listening.Intake`), safe to use from several threads. Used as a
    context manager.

    Parameters
    ----------
    settings
        Which Kafka, which topic.
    clock
        Gives receive times where a caller tells none.
    waiting_bytes
        So much may wait in memory for Kafka before the producer is crowded.
    """

    def __init__(
        self, settings: KafkaSettings, *, clock: Clock | None = None, waiting_bytes: int = 64 * 1024**2
    ) -> None:
        self.clock = clock or SystemClock()
        self.counts: Counter[str] = Counter()
        """Lines: ``appended``, ``acknowledged``, ``retried`` (each time) and ``refused`` (Kafka never takes them)."""
        self._settings = settings
        self._topic = settings.topic.name
        self._limit = waiting_bytes
        self._lock = threading.Lock()
        self._open: deque[_Append] = deque()
        self._waiting_bytes = 0
        self._again: list[tuple[bytes | None, bytes | None, _Append]] = []
        self._again_at = 0.0
        self._refusal = ""
        self._last_error = LastError()
        self._client = self._new_client()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kafka-producer", daemon=True)

    def __enter__(self) -> Producer:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def crowded(self) -> bool:
        """True while Kafka is slow or away."""
        return self._waiting_bytes >= self._limit

    @property
    def problem(self) -> str:
        """Why Kafka does not take lines at the moment, in words; empty if it does."""
        with self._lock:
            since = time.monotonic() - self._open[0].began if self._open else 0.0
        if since < _SLOW_SECONDS and not self._refusal:
            return ""
        return f"Kafka at {self._settings.bootstrap_servers} does not take lines: {self._reason()}"

    def _reason(self) -> str:
        return self._refusal or self._last_error.text or "no answer"

    @property
    def waiting(self) -> int:
        """Lines that Kafka has not acknowledged."""
        with self._lock:
            return sum(one.pending for one in self._open)

    def append(
        self,
        listener: str,
        lines: Sequence[bytes],
        peers: str | Sequence[str] = "",
        *,
        received: Sequence[float] | None = None,
        keys: Sequence[str] | None = None,
        reason: str = "",
        late: bool = False,
    ) -> None:
        """See :class:`logwarden.sources.listening.Intake`.

        ``received`` are receive times in Unix seconds, the clock's by default.
        """
        if not lines:
            return
        if self._closing.is_set():
            raise LogwardenError("the producer is closed")
        senders = [peers] * len(lines) if isinstance(peers, str) else peers
        times = [self.clock.now()] * len(lines) if received is None else received
        values = [
            envelope.encode(line, received=at, peer=peer, listener=listener, reason=reason, late=late)
            for line, at, peer in zip(lines, times, senders, strict=True)
        ]
        size = sum(map(len, values)) + _LINE_COST * len(values)
        one = _Append(len(values), size, time.monotonic())
        with self._lock:
            self._open.append(one)
            self._waiting_bytes += size
            self.counts["appended"] += len(values)
        for value, key in zip(values, keys or senders, strict=True):
            self._produce(value, key.encode("utf-8", "replace") or None, one)

    def durable(self) -> Future[None]:
        """See :class:`logwarden.sources.listening.Intake`: safe is what Kafka has acknowledged.

        It cannot come when Kafka refuses a line for ever, or the producer was closed.
        """
        promise: Future[None] = Future()
        with self._lock:
            if self._open:
                self._open[-1].promises.append(promise)
                return promise
        promise.set_result(None)
        return promise

    def close(self, timeout: float = 30.0) -> None:
        """Wait up to ``timeout`` seconds for what was appended, then close.

        Raises
        ------
        KafkaUnusableError
            If Kafka has not acknowledged all lines: they are lost, and the message says how many.
        """
        until = time.monotonic() + timeout
        while self._thread.is_alive() and self._open and time.monotonic() < until:
            time.sleep(_POLL_SECONDS / 10)
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()
        lost = self.waiting
        self._give_up()
        if lost:
            raise KafkaUnusableError(
                f"{lost:,} lines were not delivered to Kafka at {self._settings.bootstrap_servers}: {self._reason()}"
            )

    # ------------------------------------------------------------------ sending

    def _new_client(self) -> confluent_kafka.Producer:
        config = {**self._settings.client(), **_CONFIG, "error_cb": self._last_error}
        return new_client(confluent_kafka.Producer, config)

    def _produce(self, value: bytes | None, key: bytes | None, one: _Append) -> None:
        def delivered(error: KafkaError | None, message: Message) -> None:
            self._delivered(error, message, one)

        try:
            self._client.produce(self._topic, value, key, on_delivery=delivered)
        except (BufferError, KafkaException) as error:
            self._try_again(value, key, one, plain(error) if isinstance(error, KafkaException) else "queue full")

    def _delivered(self, error: KafkaError | None, message: Message, one: _Append) -> None:
        if error is None:
            self._settle(one, "acknowledged")
        elif error.code() in _REFUSED_FOR_EVER:
            _log.error("Kafka refuses a line for ever: %s", plain(error))
            one.refused = plain(error)
            self._settle(one, "refused")
        else:
            self._try_again(message.value(), message.key(), one, plain(error))

    def _try_again(self, value: bytes | None, key: bytes | None, one: _Append, reason: str) -> None:
        with self._lock:
            if not self._refusal:
                _log.error("Kafka does not take lines: %s; trying again", reason)
            self._refusal = reason
            self._again.append((value, key, one))
            self._again_at = time.monotonic() + _RETRY_SECONDS

    def _settle(self, one: _Append, outcome: str) -> None:
        done: list[_Append] = []
        with self._lock:
            one.pending -= 1
            self.counts[outcome] += 1
            self._refusal = "" if outcome == "acknowledged" else self._refusal
            while self._open and not self._open[0].pending:
                done.append(self._open.popleft())
                self._waiting_bytes -= done[-1].size
        for each in done:
            keep_promises(each.promises, _refused(each.refused) if each.refused else None)

    # ------------------------------------------------------------------ the thread

    def _run(self) -> None:
        while not self._closing.is_set():
            self._client.poll(_POLL_SECONDS)
            if self._last_error.fatal:
                self._replace_client()
            if self._again and time.monotonic() >= self._again_at:
                self._produce_again()

    def _replace_client(self) -> None:
        """Go on with a new client: one that met a fatal error takes nothing any more."""
        _log.error("the connection to Kafka is made anew: %s", self._last_error.text)
        old, self._last_error = self._client, LastError()
        self._client = self._new_client()
        old.purge()
        old.flush(_SLOW_SECONDS)  # hands what it had to _delivered

    def _produce_again(self) -> None:
        with self._lock:
            again, self._again = self._again, []
            self.counts["retried"] += len(again)
        for value, key, one in again:
            self._produce(value, key, one)

    def _give_up(self) -> None:
        self._client.purge()
        with self._lock:
            left = list(self._open)
            self._open.clear()
        for each in left:
            keep_promises(each.promises, _refused("the producer was closed"))


def _refused(reason: str) -> KafkaUnusableError:
    return KafkaUnusableError(f"Kafka did not take the lines: {reason}")
