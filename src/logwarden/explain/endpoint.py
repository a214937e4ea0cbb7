"""A client for endpoints that speak the OpenAI chat API: bounded in time, size and patience."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import SecretStr

from logwarden.errors import InvalidInputError, LogwardenError

_log = logging.getLogger(__name__)

MAX_ANSWER_BYTES = 256 * 1024
_RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504})


class EndpointError(LogwardenError):
    """The endpoint gave no usable answer. The message names the reason and holds neither prompt nor key."""


@dataclass(frozen=True)
class EndpointConfig:
    """Where the endpoint is and how long it may take.

    Attributes
    ----------
    url
        Base address, such as ``http://localhost:11434/v1``.
    model
        Name of the model at the endpoint.
    api_key
        Sent as a bearer token; None where the endpoint needs none.
    timeout_seconds
        Longest time for one attempt, from connecting to the last byte.
    attempts
        How often a request is tried before it counts as failed.
    backoff_seconds
        Wait before the second attempt; doubled for each further one, with up to half of it added at random.
    max_tokens
        Longest answer that is asked for.
    open_after
        The circuit opens after so many failed requests in a row ...
    open_seconds
        ... and lets a request try again after so many seconds.
    """

    url: str
    model: str
    api_key: SecretStr | None = None
    timeout_seconds: float = 20.0
    attempts: int = 3
    backoff_seconds: float = 0.5
    max_tokens: int = 300
    open_after: int = 5
    open_seconds: float = 60.0


class CircuitBreaker:
    """Stops asking an endpoint that keeps failing, and lets a single request try again after a while."""

    def __init__(self, open_after: int, open_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._open_after = open_after
        self._open_seconds = open_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._closed_from = 0.0

    def allow(self) -> bool:
        """Tell whether a request may be made now. While the circuit is open, one request per interval may."""
        with self._lock:
            if self._failures < self._open_after:
                return True
            if self._clock() < self._closed_from:
                return False
            self._closed_from = self._clock() + self._open_seconds
            return True

    def succeeded(self) -> None:
        """Close the circuit."""
        with self._lock:
            self._failures = 0

    def failed(self) -> None:
        """Count a failure; open the circuit when there were enough."""
        with self._lock:
            self._failures += 1
            if self._failures >= self._open_after:
                self._closed_from = self._clock() + self._open_seconds


class ChatEndpoint:
    """Asks one model at one endpoint. Safe to use from several threads.

    Raises
    ------
    InvalidInputError
        If the address is no http(s) address or holds a user name or password.
    """

    def __init__(self, config: EndpointConfig) -> None:
        self._config = config
        self._breaker = CircuitBreaker(config.open_after, config.open_seconds)
        headers = {"Authorization": f"Bearer {config.api_key.get_secret_value()}"} if config.api_key else {}
        self._client = httpx.Client(timeout=config.timeout_seconds, headers=headers)
        self._address = _chat_address(config.url)
        self._closing = threading.Event()

    def ask(self, system: str, user: str) -> str:
        """Return the model's answer to a question.

        Raises
        ------
        EndpointError
            If the circuit is open, the endpoint refuses, fails in every attempt, takes too long, or answers something
            that is not a chat completion.
        """
        if not self._breaker.allow():
            raise EndpointError("the endpoint failed repeatedly and is left alone for a while")
        try:
            answer = self._ask_patiently(self._request(system, user))
        except EndpointError:
            self._breaker.failed()
            raise
        self._breaker.succeeded()
        return answer

    def close(self) -> None:
        """Close the connections; waiting for a next attempt ends at once."""
        self._closing.set()
        self._client.close()

    def _request(self, system: str, user: str) -> dict[str, Any]:
        return {
            "model": self._config.model,
            "messages": [{"role": "system", "content": system}, {"role": "user", "content": user}],
            "temperature": 0,
            "max_tokens": self._config.max_tokens,
        }

    def _ask_patiently(self, request: dict[str, Any]) -> str:
        failure = EndpointError("no attempt was made")
        for attempt in range(self._config.attempts):
            if attempt and self._closing.wait(self._pause(attempt)):
                break
            try:
                return self._ask_once(request)
            except _TransientError as error:
                failure = error
                _log.debug("attempt %d of %d failed: %s", attempt + 1, self._config.attempts, error)
        raise EndpointError(str(failure))

    def _pause(self, attempt: int) -> float:
        return self._config.backoff_seconds * 2.0 ** (attempt - 1) * random.uniform(1, 1.5)

    def _ask_once(self, request: dict[str, Any]) -> str:
        try:
            with self._client.stream("POST", self._address, json=request) as response:
                _check_status(response.status_code)
                body = self._read(response)
        except (httpx.HTTPError, httpx.InvalidURL, RuntimeError) as error:
            raise _TransientError(f"no answer ({type(error).__name__})") from None
        return _content(body)

    def _read(self, response: httpx.Response) -> bytes:
        """Read the body; a server that sends a byte now and then does not hold us longer than one that hangs."""
        deadline = time.monotonic() + self._config.timeout_seconds
        body = b""
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                raise EndpointError(f"the answer is longer than {MAX_ANSWER_BYTES} bytes")
            if time.monotonic() > deadline:
                raise _TransientError("the answer took too long")
        return body


class _TransientError(EndpointError):
    """Trying again may help."""


def _chat_address(url: str) -> httpx.URL:
    try:
        base = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise InvalidInputError(f"explanation.openAI.url: {url!r} is no address ({error})") from None
    if base.userinfo:
        raise InvalidInputError("explanation.openAI.url: holds a user name or password; use apiKeySecretRef instead")
    if base.scheme not in {"http", "https"} or not base.host:
        raise InvalidInputError(f"explanation.openAI.url: found {url!r}, needs http:// or https:// and a host")
    return base.copy_with(path=base.path.rstrip("/") + "/chat/completions")


def _check_status(status: int) -> None:
    if status in _RETRIED:
        raise _TransientError(f"the endpoint answered with status {status}")
    if status != 200:
        raise EndpointError(f"the endpoint answered with status {status}; check url, model and API key")


def _content(body: bytes) -> str:
    try:
        content = httpx.Response(200, content=body).json()["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError):
        raise EndpointError("the answer is not a chat completion") from None
    if not isinstance(content, str):
        raise EndpointError("the answer holds no text")
    return content
