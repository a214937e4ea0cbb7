"""Asks the pods for their counters, again and again."""

from __future__ import annotations

import asyncio
import logging
import time

from logwarden_operator import metrics, scrape
from logwarden_operator.cluster import Cluster, ClusterError
from logwarden_operator.counts import Counts
from logwarden_operator.kinds import POD
from logwarden_operator.ownership import COMPONENT, MANAGED_SELECTOR
from logwarden_operator.settings import Settings
from logwarden_operator.workqueue import WorkQueue

PERIOD_SECONDS = 15.0
_SELECTOR = f"{MANAGED_SELECTOR},{COMPONENT} in (collector,ingest,detector,training)"
_log = logging.getLogger(__name__)


class Counting:
    """Reads the metrics of all pods and has those resources reconciled whose status has something else to say."""

    def __init__(self, cluster: Cluster, settings: Settings, counts: Counts, queue: WorkQueue) -> None:
        self._cluster, self._counts, self._queue = cluster, counts, queue
        self._scopes: list[str | None] = [*settings.watch_namespaces] or [None]
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start, in the running event loop."""
        self._task = asyncio.create_task(self._loop(), name="counting")

    async def stop(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _loop(self) -> None:
        while True:
            await asyncio.sleep(PERIOD_SECONDS)
            try:
                await self._look()
            except ClusterError as error:
                _log.warning("pods cannot be listed for their counters: %s", error)
            except Exception:  # a defect here must not end the counting for good
                _log.exception("the counters of pods could not be compared")

    async def _look(self) -> None:
        pods = [pod for scope in self._scopes for pod in await self._cluster.list(POD, scope, _SELECTOR)]
        readings = await scrape.scrape(scrape.targets(pods))
        metrics.UNREAD.set(sum(bool(one.problem) and one.target.ready for one in readings))
        for key in self._counts.add(readings, time.monotonic()):
            await self._queue.request(key)
