"""The handlers: each only says which resource has to be looked at. Reconciling happens in the queue.

They are handlers of raw events. So kopf writes nothing into the resources, neither annotations nor finalizers, and what
was missed while the operator was down is made up for by the list with which every watch begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import kopf

from logwarden_operator.app import App
from logwarden_operator.connection import find_connection
from logwarden_operator.context import OPTIONAL_CRDS
from logwarden_operator.kinds import (
    ANOMALY_MODEL,
    CONFIG_MAP,
    CRON_JOB,
    DAEMON_SET,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    JOB,
    LOG_PIPELINE,
    NETWORK_POLICY,
    POD,
    SERVICE,
    ApiKind,
)
from logwarden_operator.ownership import MANAGED_SELECTOR, OWNER_KIND, OWNER_NAME, OWNER_NAMESPACE, Child, Key
from logwarden_operator.watched import key_of

WATCHED_CHILDREN = (
    CONFIG_MAP, SERVICE, DEPLOYMENT, DAEMON_SET, JOB, CRON_JOB, DISRUPTION_BUDGET, NETWORK_POLICY, POD,
)  # fmt: skip
GONE = "DELETED"


def register(registry: kopf.OperatorRegistry, app: App) -> None:
    """Register all handlers."""

    async def on_pipeline(event: Any, **_: Any) -> None:
        await pipeline_event(app, _object(event, LOG_PIPELINE), event["type"])

    async def on_model(event: Any, **_: Any) -> None:
        await model_event(app, _object(event, ANOMALY_MODEL), event["type"])

    async def on_child(event: Any, **_: Any) -> None:
        await child_event(app, event["object"], event["type"])

    kopf.on.event(LOG_PIPELINE.group, LOG_PIPELINE.plural, registry=registry, id="pipeline")(on_pipeline)
    kopf.on.event(ANOMALY_MODEL.group, ANOMALY_MODEL.plural, registry=registry, id="model")(on_model)
    for kind in WATCHED_CHILDREN:
        kopf.on.event(kind.group, kind.plural, registry=registry, id=kind.plural)(on_child)
    for crd in OPTIONAL_CRDS:
        plural, _, group = crd.partition(".")
        kopf.on.event(group, plural, registry=registry, id=plural)(on_child)

    def login(**_: Any) -> kopf.ConnectionInfo:
        return find_connection()

    async def startup(settings: kopf.OperatorSettings, **_: Any) -> None:
        configure(settings, namespaced=bool(app.settings.watch_namespaces))
        await app.start()

    async def cleanup(**_: Any) -> None:
        await app.stop()

    kopf.on.login(registry=registry, id="login")(login)
    kopf.on.startup(registry=registry, id="start")(startup)
    kopf.on.cleanup(registry=registry, id="stop")(cleanup)


def configure(settings: kopf.OperatorSettings, *, namespaced: bool) -> None:
    """Let kopf only watch: no Events of its own, and of children only those with our label, chosen by the server.

    Without rights in the whole cluster it cannot be told of new namespaces and definitions, and does not ask.
    """
    settings.scanning.disabled = namespaced
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 330
    for kind in WATCHED_CHILDREN:
        settings.watching.label_selectors[kind.group, kind.plural] = MANAGED_SELECTOR
    for crd in OPTIONAL_CRDS:
        plural, _, group = crd.partition(".")
        settings.watching.label_selectors[group, plural] = MANAGED_SELECTOR


async def pipeline_event(app: App, pipeline: Child, type_: str | None) -> None:
    """Reconcile a pipeline that its user changed, and the models whose detectors came or went with it."""
    gone = type_ == GONE
    for namespace, model in app.environment.usage.see(pipeline, gone=gone):
        await app.queue.request(Key("AnomalyModel", namespace, model))
    await _own_event(app, pipeline, gone=gone)


async def model_event(app: App, model: Child, type_: str | None) -> None:
    """Reconcile a model that its user changed, and the pipelines that use it when it serves another revision."""
    gone = type_ == GONE
    another = app.watched.serves_another(model)
    changed = await _own_event(app, model, gone=gone)
    if another or changed:
        metadata = model["metadata"]
        for pipeline in app.environment.usage.of(metadata["namespace"], metadata["name"]):
            await app.queue.request(Key("LogPipeline", metadata["namespace"], pipeline))


async def child_event(app: App, child: Child, type_: str | None) -> None:
    """Reconcile the owner of a child that somebody else changed, or note the heartbeat."""
    if type_ == GONE:
        app.cluster.forget(child)
    if app.heartbeat.hear(child) or app.cluster.wrote(child):
        return
    labels: Mapping[str, str] = child["metadata"].get("labels", {})
    kind = labels.get(OWNER_KIND)
    if kind in ("AnomalyModel", "LogPipeline") and OWNER_NAME in labels and OWNER_NAMESPACE in labels:
        await app.queue.request(Key(kind, labels[OWNER_NAMESPACE], labels[OWNER_NAME]))  # type: ignore[arg-type]


async def _own_event(app: App, raw: Child, *, gone: bool) -> bool:
    if gone:
        app.watched.forget(raw)
        app.queue.forget(key_of(raw))
        app.environment.counts.forget(key_of(raw))
        return True
    if changed := app.watched.see(raw):
        await app.queue.request(key_of(raw))
    return changed


def _object(event: Any, kind: ApiKind) -> Child:
    """Return the object of an event. Those of a list come without their kind."""
    return {**event["object"], "apiVersion": kind.api_version, "kind": kind.kind}
