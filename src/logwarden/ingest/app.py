"""The application: which paths take which protocols, and how each of them answers."""

from __future__ import annotations

from typing import Any, Final

import orjson
from fastapi import Depends, FastAPI, Request, Response
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException

from logwarden import __version__
from logwarden.ingest import PATH, loki, otlp, splunk
from logwarden.ingest.idempotency import Taken
from logwarden.ingest.limits import Dialect, RefusedError
from logwarden.ingest.lines import Lines, Reader, load_json, read_json, read_ndjson, read_text
from logwarden.ingest.page import page
from logwarden.ingest.service import Ingest
from logwarden.ingest.unpack import unsnappy

_JSON: Final = "application/json"
_PROTOBUF: Final = "application/x-protobuf"
_SPLUNK: Final = "/services/collector"
_UNAVAILABLE: Final = 503
# Splunk's codes by our status; what has none is "internal server error".
_SPLUNK_CODES: Final = {400: 6, 401: 4, 408: 6, 413: 27, 415: 6, 422: 6, 429: 9, 503: 9}


class _Json(Response):
    media_type = _JSON

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content)


def _read_any_json(body: bytes) -> Lines:
    value = load_json(body)
    if isinstance(value, dict) and otlp.RESOURCE_LOGS in value:
        return otlp.read_json(value)
    return read_json(value)


def _read_loki_json(body: bytes) -> Lines:
    return loki.read_json(load_json(body))


_READERS: Final[dict[str, Reader]] = {
    "text/plain": read_text,
    "application/x-ndjson": read_ndjson,
    "application/ndjson": read_ndjson,
    "application/jsonl": read_ndjson,
    _JSON: _read_any_json,
    _PROTOBUF: otlp.read_protobuf,
    # What curl --data-binary and clients without a type send.
    "application/x-www-form-urlencoded": read_text,
    "": read_text,
}


# ------------------------------------------------------------------ answers


def _accepted(taken: Taken) -> Response:
    if taken.protocol == otlp.PROTOCOL:
        return _Json(otlp.response_json(taken))
    return _Json({"accepted": taken.accepted, "rejected": taken.rejected})


def _refused(refusal: RefusedError) -> Response:
    return _Json({"error": refusal.message}, refusal.status)


_LINES: Final = Dialect(_accepted, _refused)
_OTLP: Final = Dialect(
    lambda taken: Response(otlp.response_protobuf(taken), media_type=_PROTOBUF),
    lambda refusal: Response(otlp.status_protobuf(refusal.message), refusal.status, media_type=_PROTOBUF),
)
_LOKI: Final = Dialect(
    lambda taken: Response(status_code=204),
    lambda refusal: Response(refusal.message + "\n", refusal.status, media_type="text/plain"),
)
_HEC: Final = Dialect(
    lambda taken: _Json({"text": "Success", "code": 0}),
    lambda refusal: _Json({"text": refusal.message, "code": _SPLUNK_CODES.get(refusal.status, 8)}, refusal.status),
    schemes=("splunk", "bearer"),
)


# ------------------------------------------------------------------ paths


def create_app(ingest: Ingest) -> FastAPI:
    """Return the application of an endpoint."""
    app = FastAPI(
        title="Logwarden ingest",
        version=__version__,
        description="Takes log lines. Success means that they are durable; 429 and 503 mean: send the same again.",
        docs_url=None,
        redoc_url=None,
    )
    _add_protocols(app, ingest)
    _add_health(app, ingest)

    async def docs() -> Response:
        return Response(page(app.openapi()), media_type="text/html")

    app.add_api_route("/docs", docs, include_in_schema=False)
    app.add_exception_handler(HTTPException, _refuse_path(ingest))
    return app


def _add_protocols(app: FastAPI, ingest: Ingest) -> None:
    async def logs(request: Request) -> Response:
        kind = _content_type(request)
        dialect = _OTLP if kind == _PROTOBUF else _LINES
        if kind not in _READERS:
            known = "text/plain, application/x-ndjson, application/json or application/x-protobuf"
            return ingest.refuse(request, dialect, RefusedError(415, f"Content-Type {kind} is not taken: use {known}"))
        return await ingest.answer(request, dialect, _READERS[kind])

    async def loki_push(request: Request) -> Response:
        if _content_type(request) in (_JSON, ""):
            return await ingest.answer(request, _LOKI, _read_loki_json)
        if _content_type(request) == _PROTOBUF:
            return await ingest.answer(request, _LOKI, loki.read_protobuf, unsnappy)
        kind = _content_type(request)
        text = f"Content-Type {kind} is not taken: use application/json, or application/x-protobuf with snappy"
        return ingest.refuse(request, _LOKI, RefusedError(415, text))

    async def splunk_events(request: Request) -> Response:
        return await ingest.answer(request, _HEC, splunk.read_events)

    async def splunk_raw(request: Request) -> Response:
        return await ingest.answer(request, _HEC, splunk.raw_reader(request.query_params))

    _post(app, PATH, logs, "Lines as text, NDJSON or JSON, or an OTLP/HTTP export of logs", _READERS)
    _post(app, "/loki/api/v1/push", loki_push, "Loki's push protocol", (_JSON, _PROTOBUF))
    for path in ("/event", "", "/event/1.0", "/1.0"):
        _post(app, _SPLUNK + path, splunk_events, "Splunk HEC: events", (_JSON,), shown=path == "/event")
    for path in ("/raw", "/raw/1.0"):
        _post(app, _SPLUNK + path, splunk_raw, "Splunk HEC: raw lines", ("text/plain",), shown=path == "/raw")


def _post(app: FastAPI, path: str, take: Any, summary: str, kinds: Any, *, shown: bool = True) -> None:
    text = {"schema": {"type": "string", "format": "binary"}}
    app.add_api_route(
        path,
        take,
        methods=["POST"],
        summary=summary,
        include_in_schema=shown,
        dependencies=[Depends(HTTPBearer(auto_error=False, description="A token of the endpoint's Secret."))],
        openapi_extra={"requestBody": {"required": True, "content": {kind: text for kind in kinds if kind}}},
        response_class=_Json,
        responses=_ANSWERS,
    )


def _add_health(app: FastAPI, ingest: Ingest) -> None:
    async def healthz() -> Response:
        return _Json({"status": "ok"})

    async def readyz() -> Response:
        problem = ingest.problem
        return _Json({"status": problem or "ok"}, _UNAVAILABLE if problem else 200)

    async def splunk_health() -> Response:
        problem = ingest.problem
        text = {"text": problem, "code": 9} if problem else {"text": "HEC is healthy", "code": 17}
        return _Json(text, _UNAVAILABLE if problem else 200)

    app.add_api_route("/healthz", healthz, summary="Whether the process serves")
    app.add_api_route("/readyz", readyz, summary="Whether lines can be taken; 503 says why not")
    for path in ("/health", "/health/1.0"):
        app.add_api_route(_SPLUNK + path, splunk_health, include_in_schema=False)


def _refuse_path(ingest: Ingest) -> Any:
    def refuse(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        ingest.count_refusal(error.status_code)
        message = {
            404: f"no such path: send lines to POST {PATH}; /docs lists all",
            405: f"{request.method} is not allowed here: send lines to POST {PATH}; /docs lists all",
        }.get(error.status_code, str(error.detail))
        return _Json({"error": message}, error.status_code, dict(error.headers or {}))

    return refuse


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "Everything is durable; what could not be read was stored with its reason."},
    400: {"description": "The body is not what it says to be; nothing was taken."},
    401: {"description": "The token is missing or wrong."},
    413: {"description": "The body is too large, or holds too much; nothing was taken."},
    415: {"description": "Content-Type or Content-Encoding is not known."},
    422: {"description": "The Idempotency-Key came with another body before."},
    429: {"description": "Too much at once: send the same again after Retry-After seconds."},
    503: {"description": "Lines cannot be made durable at the moment: likewise."},
}
