"""Looks now and then whether the watches told everything, and makes up for what they did not."""

from __future__ import annotations

import asyncio
import logging

from logwarden_operator import metrics
from logwarden_operator.cluster import Cluster, ClusterError
from logwarden_operator.kinds import ANOMALY_MODEL, LOG_PIPELINE
from logwarden_operator.settings import Settings
from logwarden_operator.watched import Watched, key_of
from logwarden_operator.workqueue import WorkQueue

PERIOD_SECONDS = 300.0
EVERYTHING_EVERY = 12
"""So many rounds apart, all resources are reconciled: drift that a dead watch hid is repaired within the hour."""
_log = logging.getLogger(__name__)


class Audit:
    """Compares lists with what the watches told."""

    def __init__(self, cluster: Cluster, settings: Settings, watched: Watched, queue: WorkQueue) -> None:
        self._cluster, self._watched, self._queue = cluster, watched, queue
        self._scopes: list[str | None] = [*settings.watch_namespaces] or [None]
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start, in the running event loop."""
        self._task = asyncio.create_task(self._loop(), name="audit")

    async def stop(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _loop(self) -> None:
        count = 0
        while True:
            await asyncio.sleep(PERIOD_SECONDS)
            count += 1
            try:
                await self._look(everything=count % EVERYTHING_EVERY == 0)
            except ClusterError as error:
                _log.warning("the watches cannot be checked: %s", error)

    async def _look(self, *, everything: bool) -> None:
        for kind in (ANOMALY_MODEL, LOG_PIPELINE):
            for scope in self._scopes:
                for raw in await self._cluster.list(kind, scope):
                    missed = self._watched.missed(raw)
                    if missed:
                        metrics.MISSED.inc()
                    if missed or everything:
                        await self._queue.request(key_of(raw))
