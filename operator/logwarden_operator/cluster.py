"""The only module that talks to the API server.

Everything here is plain values in and out.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import aiohttp

from logwarden_operator import metrics
from logwarden_operator.connection import Credentials, find_connection
from logwarden_operator.kinds import EVENT, SECRET, ApiKind
from logwarden_operator.ownership import OPERATOR, Child

FIELD_MANAGER = OPERATOR
_TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=5)
_AT_ONCE = 16
_PAGE = 500
_MAX_MESSAGE = 1024


class ClusterError(Exception):
    """The API server refused a request. ``status`` is the HTTP status, the message is the server's own."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason = status, reason


class Cluster:
    """The API server, as the operator's service account sees it."""

    def __init__(self) -> None:
        connection = find_connection()
        self._server, self._ssl = connection.server.rstrip("/"), connection.as_ssl_context()
        self._credentials = Credentials(connection)
        self._session: aiohttp.ClientSession | None = None
        self._written: dict[str, str] = {}

    async def open(self) -> None:
        """Be ready for requests, in the running event loop."""
        connector = aiohttp.TCPConnector(ssl=self._ssl, limit=_AT_ONCE)
        self._session = aiohttp.ClientSession(connector=connector, timeout=_TIMEOUT)

    async def close(self) -> None:
        """Leave."""
        if self._session is not None:
            await self._session.close()

    def wrote(self, child: Child) -> bool:
        """Whether a child that a watch told of is as we ourselves left it: whoever applied it has seen it so."""
        metadata = child["metadata"]
        return bool(self._written.get(metadata["uid"]) == metadata["resourceVersion"])

    def forget(self, child: Child) -> None:
        """Drop what is remembered of a child that is gone."""
        self._written.pop(child["metadata"]["uid"], None)

    async def get(self, kind: ApiKind, namespace: str, name: str) -> Child | None:
        """Return an object, or None where there is none."""
        return await self._maybe("GET", kind.path(namespace, name))

    async def exists(self, kind: ApiKind, namespace: str, name: str) -> bool:
        """Whether an object exists. Only its metadata is asked for: no value of a Secret gets here."""
        accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
        return await self._maybe("GET", kind.path(namespace, name), accept=accept) is not None

    async def secret_exists(self, namespace: str, name: str) -> bool:
        """Whether a Secret exists."""
        return await self.exists(SECRET, namespace, name)

    async def list(self, kind: ApiKind, namespace: str | None, selector: str = "", *, name: str = "") -> list[Child]:
        """Return the objects with the labels of ``selector``; none where the kind itself does not exist.

        With ``name``, only the one of this name. That asks for less than :meth:`get`: most kinds are only listed.
        """
        items: list[Child] = []
        query = {"limit": str(_PAGE), **({"labelSelector": selector} if selector else {})}
        if name:
            query["fieldSelector"] = f"metadata.name={name}"
        while True:
            page = await self._maybe("GET", kind.path(namespace), query)
            if page is None:
                return items
            items += [{"apiVersion": kind.api_version, "kind": kind.kind, **item} for item in page["items"]]
            if not (token := page["metadata"].get("continue")):
                return items
            query["continue"] = token

    async def apply(self, kind: ApiKind, child: Child, *, force: bool) -> Child:
        """Declare an object by server-side apply and return what the server made of it.

        Without ``force`` an object of somebody else is left alone: the server answers with a conflict.
        """
        metadata = child["metadata"]
        query = {"fieldManager": FIELD_MANAGER, "force": str(force).lower()}
        path = kind.path(metadata["namespace"], metadata["name"])
        applied = await self._call("PATCH", path, query, child, content="application/apply-patch+yaml")
        self._written[applied["metadata"]["uid"]] = applied["metadata"]["resourceVersion"]
        return applied

    async def create(self, kind: ApiKind, child: Child) -> Child:
        """Create an object."""
        path = kind.path(child["metadata"]["namespace"])
        return await self._call("POST", path, {"fieldManager": FIELD_MANAGER}, child)

    async def delete(self, kind: ApiKind, child: Child) -> None:
        """Delete exactly this object (by its uid) and what depends on it. It may be gone already."""
        metadata = child["metadata"]
        body = {"propagationPolicy": "Background", "preconditions": {"uid": metadata["uid"]}}
        try:
            await self._call("DELETE", kind.path(metadata["namespace"], metadata["name"]), {}, body)
        except ClusterError as error:
            if error.status not in (404, 409):
                raise

    async def merge(self, kind: ApiKind, namespace: str, name: str, patch: Child, *, status: bool = False) -> None:
        """Change some fields of an object, or of its status. It may be gone already."""
        path = kind.path(namespace, name) + ("/status" if status else "")
        try:
            await self._call(
                "PATCH", path, {"fieldManager": FIELD_MANAGER}, patch, content="application/merge-patch+json"
            )
        except ClusterError as error:
            if error.status != 404:
                raise

    async def existing_kinds(self, kinds: tuple[ApiKind, ...]) -> frozenset[str]:
        """Return the definitions among those of ``kinds`` that the cluster has, as ``plural.group``."""
        versions = sorted({kind.api_version for kind in kinds})
        answers = await asyncio.gather(*(self._maybe("GET", f"/apis/{version}") for version in versions))
        there = {
            (version, resource["name"])
            for version, answer in zip(versions, answers, strict=True)
            for resource in (answer or {}).get("resources", [])
        }
        return frozenset(kind.crd for kind in kinds if kind.crd and (kind.api_version, kind.plural) in there)

    async def tell(self, about: Child, *, warning: bool, reason: str, message: str) -> None:
        """Post an Event about an object, for ``kubectl describe``."""
        metadata = about["metadata"]
        now = datetime.now(UTC)
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{metadata['name']}.{int(now.timestamp() * 1e6):x}",
                "namespace": metadata["namespace"],
            },
            "involvedObject": {
                "apiVersion": about["apiVersion"],
                "kind": about["kind"],
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
                "resourceVersion": metadata.get("resourceVersion", ""),
            },
            "type": "Warning" if warning else "Normal",
            "reason": reason,
            "message": message[:_MAX_MESSAGE],
            "source": {"component": OPERATOR},
            "firstTimestamp": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "lastTimestamp": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "count": 1,
            "reportingComponent": OPERATOR,
            "reportingInstance": OPERATOR,
        }
        try:
            await self._call("POST", EVENT.path(metadata["namespace"]), {}, event)
        except ClusterError as error:
            # A namespace that is being deleted takes no Events, and a lost one must not stop the work.
            if error.status not in (403, 404, 409):
                raise

    async def _maybe(self, method: str, path: str, query: Mapping[str, str] | None = None, **more: Any) -> Child | None:
        try:
            return await self._call(method, path, query or {}, **more)
        except ClusterError as error:
            if error.status == 404:
                return None
            raise

    async def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Child | None = None,
        *,
        content: str = "application/json",
        accept: str = "application/json",
    ) -> Child:
        if method != "GET":
            metrics.WRITES.inc()
        assert self._session is not None  # open() comes first
        headers = {"Accept": accept, "User-Agent": OPERATOR, **self._credentials.headers()}
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            headers["Content-Type"] = content
        try:
            asked = self._session.request(method, self._server + path, params=query, data=data, headers=headers)
            async with asked as response:
                return _answer(response.status, await response.read())
        except (aiohttp.ClientError, OSError) as error:
            raise ClusterError(0, "Unreachable", f"the API server cannot be reached: {type(error).__name__}") from None


def _answer(status: int, data: bytes) -> Child:
    try:
        answer: Child = json.loads(data) if data else {}
    except ValueError:
        answer = {"message": data.decode(errors="replace")[:_MAX_MESSAGE]}
    if status >= 400:
        raise ClusterError(status, str(answer.get("reason", "")), str(answer.get("message", f"HTTP {status}")))
    return answer
