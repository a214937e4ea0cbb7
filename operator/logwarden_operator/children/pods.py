"""Parts of pods that all components share."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from logwarden.api.base import Resources
from logwarden_operator.children.quantities import canonical
from logwarden_operator.settings import Settings

RESOURCES_FILE = "/etc/logwarden/resources.yaml"
SECRETS_FOLDER = "/etc/logwarden/secrets"
DATA_FOLDER = "/var/lib/logwarden"
METRICS_PORT = 9090
TMP = "/tmp"  # noqa: S108 (a volume of the pod's own)
CONFIG_HASH = "logwarden.dev/config-hash"
USER = 65532
GPU = "nvidia.com/gpu"

Values = dict[str, Any]


def fingerprint(value: Any) -> str:
    """Return a short hash of plain values that does not depend on the order of keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def restricted_container() -> Values:
    """Return the security context that the restricted Pod Security standard asks for."""
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def restricted_pod() -> Values:
    """Return the pod's part of it. The group makes mounted Secrets and claims readable."""
    return {"runAsNonRoot": True, "runAsUser": USER, "runAsGroup": USER, "fsGroup": USER}


def placement(settings: Settings, resources: Resources | None = None) -> Values:
    """Return pull secrets, node selector and tolerations; a pod that asks for GPUs tolerates their taint."""
    tolerations = list(settings.tolerations)
    if resources is not None and asks_for_gpu(resources):
        tolerations.append({"key": GPU, "operator": "Exists", "effect": "NoSchedule"})
    placed = {
        "imagePullSecrets": [{"name": name} for name in settings.images.pull_secrets],
        "nodeSelector": dict(settings.node_selector),
        "tolerations": tolerations,
    }
    return {key: value for key, value in placed.items() if value}


def asks_for_gpu(resources: Resources) -> bool:
    """Whether a container with these resources gets a GPU."""
    return str(resources.limits.get(GPU, 0)) != "0"


def compute(resources: Resources, **defaults: str) -> Values:
    """Return resources as a container has them; ``defaults`` are requests used where the resource is not named."""
    requests = {name: value for name, value in defaults.items() if name not in resources.limits}
    wanted = {"limits": dict(resources.limits), "requests": {**requests, **resources.requests}}
    return {key: _texts(value) for key, value in wanted.items() if value}


def _texts(quantities: dict[str, Any]) -> dict[str, str]:
    """Return quantities as the API server gives them back, so that nothing looks changed."""
    return {name: canonical(str(value)) for name, value in quantities.items()}


def data_volumes() -> tuple[list[Values], list[Values]]:
    """Return volumes and mounts for what a container may write: its data and temporary files."""
    volumes: list[Values] = [{"name": "data", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}]
    return volumes, [{"name": "data", "mountPath": DATA_FOLDER}, {"name": "tmp", "mountPath": TMP}]


def config_volume(config_map: str, *, follow: bool = False) -> tuple[Values, Values]:
    """Return volume and mount of the file with both resources.

    With ``follow``, the file changes with the ConfigMap; then nothing else can be mounted in its folder.
    """
    folder, _, name = RESOURCES_FILE.rpartition("/")
    place = {"mountPath": folder} if follow else {"mountPath": RESOURCES_FILE, "subPath": name}
    return {"name": "resources", "configMap": {"name": config_map}}, {"name": "resources", **place, "readOnly": True}


def environment(data_folder: str = DATA_FOLDER) -> list[Values]:
    """Return the environment variables of every component."""
    return [{"name": "LOGWARDEN_DATA_DIR", "value": data_folder}, {"name": "HOME", "value": TMP}]


def protocol(transport: str) -> str:
    """Return the protocol of a port on which syslog comes in."""
    return "UDP" if transport == "UDP" else "TCP"


def spread(selector: dict[str, str]) -> list[Values]:
    """Return constraints that put replicas on different nodes where that is possible."""
    return [
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": selector},
        }
    ]
