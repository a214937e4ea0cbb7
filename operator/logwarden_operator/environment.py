"""What reconcilers share: the cluster, the settings, which optional kinds there are, who uses which model."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from logwarden_operator.children.secrets import SecretUse
from logwarden_operator.cluster import Cluster
from logwarden_operator.context import Context
from logwarden_operator.counts import Counts
from logwarden_operator.kinds import OPTIONAL
from logwarden_operator.ownership import Owner
from logwarden_operator.settings import Settings
from logwarden_operator.usage import Usage

RECHECK_SECONDS = 15.0
"""When to look again for what no watch tells: a Secret that is missing, an optional kind that is not there yet."""
_DISCOVERY_SECONDS = 10.0


@dataclass
class Environment:
    """Shared by all reconciles."""

    cluster: Cluster
    settings: Settings
    usage: Usage = field(default_factory=Usage)
    counts: Counts = field(default_factory=Counts)
    _available: frozenset[str] = frozenset()
    _discovered: float = -_DISCOVERY_SECONDS
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def available(self) -> frozenset[str]:
        """Return the optional definitions that the cluster has; looked up again every ten seconds."""
        async with self._lock:
            if time.monotonic() - self._discovered >= _DISCOVERY_SECONDS:
                self._available = await self.cluster.existing_kinds(OPTIONAL)
                self._discovered = time.monotonic()
        return self._available

    async def context(self, owner: Owner) -> Context:
        """Return what the builders of children need."""
        return Context(owner, self.settings, await self.available())

    def topic_scopes(self) -> list[str | None]:
        """Return the namespaces in which KafkaTopics may lie: all of them, or those that may be looked into."""
        if not self.settings.watch_namespaces:
            return [None]
        return [*dict.fromkeys([*self.settings.watch_namespaces, *self.settings.kafka_namespaces])]

    async def missing_secrets(self, uses: list[SecretUse], namespace: str) -> list[SecretUse]:
        """Return the Secrets that do not exist."""
        there = await asyncio.gather(*(self.cluster.secret_exists(namespace, use.name) for use in uses))
        return [use for use, exists in zip(uses, there, strict=True) if not exists]


def missing_in_words(missing: list[SecretUse], namespace: str) -> str:
    """Return one sentence about Secrets that do not exist."""
    return "; ".join(f"{use.field}: Secret {use.name} does not exist in namespace {namespace}" for use in missing)
