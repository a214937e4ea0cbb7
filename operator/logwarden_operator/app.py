"""The one place that wires the parts together."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from kubernetes import config
from kubernetes.client import ApiClient, Configuration

from logwarden_operator.audit import Audit
from logwarden_operator.cluster import Cluster
from logwarden_operator.counting import Counting
from logwarden_operator.environment import Environment
from logwarden_operator.heartbeat import Heartbeat
from logwarden_operator.reconcile_model import reconcile_model
from logwarden_operator.reconcile_pipeline import reconcile_pipeline
from logwarden_operator.server import Server
from logwarden_operator.settings import Settings
from logwarden_operator.watched import Watched
from logwarden_operator.workqueue import Key, WorkQueue

_THREADS = 16


class App:
    """Everything that lives as long as the operator."""

    def __init__(self, settings: Settings, port: int) -> None:
        self.settings = settings
        cluster = Cluster(_client())
        self.environment = Environment(cluster, settings)
        self.watched = Watched()
        self.queue = WorkQueue(self._reconcile)
        self.heartbeat = Heartbeat(cluster, settings.home)
        self.audit = Audit(cluster, settings, self.watched, self.queue)
        self.counting = Counting(cluster, settings, self.environment.counts, self.queue)
        self.server = Server(self.heartbeat, port)

    async def start(self) -> None:
        """Start all parts."""
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS, "api"))
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

    async def _reconcile(self, key: Key) -> float | None:
        reconcile = reconcile_model if key.kind == "AnomalyModel" else reconcile_pipeline
        return await reconcile(self.environment, key.namespace, key.name)


def _client() -> ApiClient:
    """Return a client: in a pod with its service account, elsewhere with the user's kubeconfig."""
    configuration = Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    except config.ConfigException:
        config.load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    configuration.connection_pool_maxsize = _THREADS
    return ApiClient(configuration)
