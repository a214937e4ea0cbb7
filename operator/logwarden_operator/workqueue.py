"""A queue of resources to reconcile: each once however often it is asked for, never two of the same at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from logwarden_operator import metrics
from logwarden_operator.cluster import ClusterError
from logwarden_operator.ownership import Key

_FIRST_BACKOFF, _LONGEST_BACKOFF = 0.5, 300.0
_CONFLICT = 409
_log = logging.getLogger(__name__)


Work = Callable[[Key], Awaitable[float | None]]
"""Reconciles a resource; returns after how many seconds to do it again, or None."""


class WorkQueue:
    """Runs reconciles, retries those that failed after a growing while, and counts."""

    def __init__(self, work: Work, workers: int = 8) -> None:
        self._work, self._workers = work, workers
        self._waiting: dict[Key, None] = {}
        self._running: set[Key] = set()
        self._again: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._news = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start the workers, in the running event loop."""
        self._tasks = [asyncio.create_task(self._loop(), name=f"reconcile-{n}") for n in range(self._workers)]

    async def stop(self) -> None:
        """Stop the workers. Whatever they were at is done again by the next operator."""
        for timer in self._timers.values():
            timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def request(self, key: Key) -> None:
        """Ask for a reconcile as soon as possible."""
        if key in self._running:
            self._again.add(key)
            return
        self._waiting[key] = None
        metrics.QUEUE.set(len(self._waiting))
        async with self._news:
            self._news.notify()

    def forget(self, key: Key) -> None:
        """Drop what is remembered of a resource that is gone."""
        self._failures.pop(key, None)
        if timer := self._timers.pop(key, None):
            timer.cancel()

    async def _loop(self) -> None:
        while True:
            key = await self._next()
            await self._run(key)
            self._running.discard(key)
            if key in self._again:
                self._again.discard(key)
                await self.request(key)

    async def _next(self) -> Key:
        async with self._news:
            await self._news.wait_for(lambda: self._waiting)
            key = next(iter(self._waiting))
            del self._waiting[key]
            metrics.QUEUE.set(len(self._waiting))
            self._running.add(key)
            return key

    async def _run(self, key: Key) -> None:
        with metrics.SECONDS.labels(key.kind).time():
            delay = await self._attempt(key)
        if delay is not None:
            self._later(key, delay)

    async def _attempt(self, key: Key) -> float | None:
        try:
            delay = await self._work(key)
        except ClusterError as error:
            if error.status != _CONFLICT:
                _log.warning("%s: the API server answered %s: %s", key, error.status, error)
                metrics.ERRORS.labels(key.kind).inc()
            return self._backoff(key)
        except Exception:  # a defect: this resource is tried again, all others go on
            _log.exception("%s: reconciling failed", key)
            metrics.ERRORS.labels(key.kind).inc()
            return self._backoff(key)
        self._failures.pop(key, None)
        return delay

    def _backoff(self, key: Key) -> float:
        count = self._failures[key] = self._failures.get(key, 0) + 1
        return float(min(_LONGEST_BACKOFF, _FIRST_BACKOFF * 2 ** (count - 1)))

    def _later(self, key: Key, delay: float) -> None:
        if timer := self._timers.pop(key, None):
            timer.cancel()
        loop = asyncio.get_running_loop()
        self._timers[key] = loop.call_later(delay, lambda: loop.create_task(self._due(key)))

    async def _due(self, key: Key) -> None:
        self._timers.pop(key, None)
        await self.request(key)
