"""A heartbeat that goes through the API server and back by the watch: only a watch that lives brings it."""

from __future__ import annotations

import asyncio
import logging
import time

from logwarden_operator.cluster import Cluster, ClusterError
from logwarden_operator.conditions import now
from logwarden_operator.kinds import CONFIG_MAP
from logwarden_operator.ownership import MANAGED_BY, OPERATOR, Child

NAME = "logwarden-operator-heartbeat"
PERIOD_SECONDS = 15.0
DEAD_AFTER_SECONDS = 90.0
_log = logging.getLogger(__name__)


class Heartbeat:
    """Beats, and knows when it last heard itself.

    Parameters
    ----------
    cluster, namespace
        Where it beats.
    pod
        ``NAME/UID`` of a pod of this namespace, with which the ConfigMap goes; None for none.
    """

    def __init__(self, cluster: Cluster, namespace: str, pod: str | None = None) -> None:
        self._cluster, self._namespace, self._pod = cluster, namespace, pod
        self._heard = time.monotonic()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start to beat, in the running event loop."""
        self._heard = time.monotonic()
        self._task = asyncio.create_task(self._loop(), name="heartbeat")

    async def stop(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def hear(self, config_map: Child) -> bool:
        """Take note of a ConfigMap that a watch told of; return whether it was the heartbeat."""
        metadata = config_map["metadata"]
        if (metadata["namespace"], metadata["name"]) != (self._namespace, NAME):
            return False
        self._heard = time.monotonic()
        return True

    @property
    def age(self) -> float:
        """Seconds since the heartbeat was last heard, or since the start."""
        return time.monotonic() - self._heard

    @property
    def alive(self) -> bool:
        """Whether the watch lives."""
        return self.age < DEAD_AFTER_SECONDS

    async def _loop(self) -> None:
        while True:
            try:
                await self._cluster.apply(CONFIG_MAP, self._beat(), force=True)
            except ClusterError as error:
                _log.warning("the heartbeat cannot be written: %s", error)
            except Exception:  # a defect must not end the heartbeat: the pod would be restarted for nothing
                _log.exception("the heartbeat cannot be written")
            await asyncio.sleep(PERIOD_SECONDS)

    def _beat(self) -> Child:
        labels = {MANAGED_BY: OPERATOR, "app.kubernetes.io/part-of": "logwarden"}
        metadata: Child = {"name": NAME, "namespace": self._namespace, "labels": labels}
        if self._pod is not None:
            name, _, uid = self._pod.partition("/")
            metadata["ownerReferences"] = [{"apiVersion": "v1", "kind": "Pod", "name": name, "uid": uid}]
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"time": now()}}
