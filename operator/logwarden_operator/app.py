"""The one place that wires the parts together."""

from __future__ import annotations

from logwarden_operator.audit import Audit
from logwarden_operator.cluster import Cluster
from logwarden_operator.counting import Counting
from logwarden_operator.environment import Environment
from logwarden_operator.heartbeat import Heartbeat
from logwarden_operator.ownership import Key
from logwarden_operator.reconcile_model import reconcile_model
from logwarden_operator.reconcile_pipeline import reconcile_pipeline
from logwarden_operator.server import Server
from logwarden_operator.settings import Settings
from logwarden_operator.watched import Watched
from logwarden_operator.workqueue import WorkQueue


class App:
    """Everything that lives as long as the operator.

    ``pod`` is ``NAME/UID`` of the one it runs in, None outside of a cluster.
    """

    def __init__(self, settings: Settings, port: int, pod: str | None = None) -> None:
        self.settings = settings
        self.cluster = cluster = Cluster()
        self.environment = Environment(cluster, settings)
        self.watched = Watched()
        self.queue = WorkQueue(self._reconcile)
        # An owner in another namespace does not exist there: the ConfigMap would be collected as garbage.
        self.heartbeat = Heartbeat(cluster, settings.home, pod if settings.home == settings.namespace else None)
        self.audit = Audit(cluster, settings, self.watched, self.queue)
        self.counting = Counting(cluster, settings, self.environment.counts, self.queue)
        self.server = Server(self.heartbeat, port)

    async def start(self) -> None:
        """Start all parts."""
        await self.cluster.open()
        await self.server.start()
        self.queue.start()
        self.heartbeat.start()
        self.audit.start()
        self.counting.start()

    async def stop(self) -> None:
        """Stop all parts."""
        await self.counting.stop()
        await self.audit.stop()
        await self.heartbeat.stop()
        await self.queue.stop()
        await self.server.stop()
        await self.cluster.close()

    async def _reconcile(self, key: Key) -> float | None:
        reconcile = reconcile_model if key.kind == "AnomalyModel" else reconcile_pipeline
        return await reconcile(self.environment, key.namespace, key.name)
