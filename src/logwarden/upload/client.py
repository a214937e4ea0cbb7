"""One request after the other, each until it is acknowledged."""

from __future__ import annotations

import gzip
import random
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx

from logwarden.errors import InvalidInputError, LogwardenError
from logwarden.ingest import PATH

_TRY_AGAIN = (408, 429, 500, 502, 503, 504)
_LONGEST_WAIT = 30.0
_TIMEOUT = 60.0
_GZIP_LEVEL = 3


class Answer(NamedTuple):
    """Lines that the endpoint took, and those among them that it could not read."""

    accepted: int
    rejected: int


class EndpointAwayError(LogwardenError):
    """The endpoint did not take anything for too long."""


@dataclass(frozen=True)
class Endpoint:
    """Where to send.

    Attributes
    ----------
    url
        Full URL of the endpoint.
    token
        Bearer token, or empty.
    authority
        Certificate of the authority that signed the endpoint's; the system's by default.
    patience
        Seconds after which an endpoint that takes nothing is given up.
    """

    url: str
    token: str = ""
    authority: Path | None = None
    patience: float = 300.0


def endpoint_url(text: str) -> str:
    """Return the URL of an endpoint: with :data:`logwarden.ingest.PATH` where it has no path.

    Raises
    ------
    InvalidInputError
        If it is no URL, or holds a user or password.
    """
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidInputError(f"--url {text}: expected a URL such as https://logs.example.net:8080")
    if parts.username or parts.password:
        raise InvalidInputError("--url holds a user or password: put the token into a file and give --token-file")
    return text if parts.path not in ("", "/") else f"{parts.scheme}://{parts.netloc}{PATH}"


class Client:
    """Sends bodies, and waits and sends again where that helps.

    Parameters
    ----------
    endpoint
        Where to send.
    say
        Takes what the person should know meanwhile; an empty text when it goes on.
    sleep
        Waits so many seconds.
    """

    def __init__(
        self, endpoint: Endpoint, say: Callable[[str], None], sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._endpoint = endpoint
        self._say = say
        self._sleep = sleep
        self._headers = {"Content-Type": "text/plain", "Content-Encoding": "gzip"}
        if endpoint.token:
            self._headers["Authorization"] = f"Bearer {endpoint.token}"
        self._http = httpx.Client(timeout=_TIMEOUT, verify=_trust(endpoint.authority))

    def send(self, body: bytes, key: str) -> Answer:
        """Send lines, again and again with the same key until they are acknowledged.

        Raises
        ------
        InvalidInputError
            If the endpoint will never take them, with its reason.
        EndpointAwayError
            If it took nothing for too long.
        """
        packed = gzip.compress(body, _GZIP_LEVEL, mtime=0)
        began, tries = time.monotonic(), 0
        while True:
            reason, asked = "", None
            try:
                answer = self._http.post(
                    self._endpoint.url, content=packed, headers={**self._headers, "Idempotency-Key": key}
                )
                if answer.is_success:
                    self._say("")
                    return _counts(answer)
                reason, asked = self._judge(answer)
            except httpx.TransportError as error:
                reason = f"{str(error) or type(error).__name__}"
            tries += 1
            if time.monotonic() - began > self._endpoint.patience:
                raise EndpointAwayError(
                    f"{self._endpoint.url} takes nothing: {reason}; what was acknowledged is remembered: start the "
                    "same command again later"
                )
            wait = _wait(tries, asked)
            self._say(f"{reason}; again in {wait:.0f} s")
            self._sleep(wait)

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def _judge(self, answer: httpx.Response) -> tuple[str, float | None]:
        """Return why to send again, and when at the earliest."""
        status, reason = answer.status_code, _reason(answer)
        if status in _TRY_AGAIN:
            after = answer.headers.get("retry-after", "")
            return f"{status} {reason}", float(after) if after.isdecimal() else None
        if status in (401, 403):
            raise InvalidInputError(f"{self._endpoint.url} refuses the token ({reason}): check --token-file")
        if status == 422:
            raise InvalidInputError("a file was changed since the last run: start with --from-start to send it anew")
        raise InvalidInputError(f"{self._endpoint.url} answers {status}: {reason}")


def _trust(authority: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if authority is not None:
        try:
            context.load_verify_locations(authority)
        except ssl.SSLError:
            raise InvalidInputError(f"--ca-file {authority} holds no certificate in PEM form") from None
        except OSError as error:
            raise InvalidInputError(f"--ca-file {authority}: {error.strerror}") from None
    return context


def _wait(tries: int, asked: float | None) -> float:
    """Return seconds to wait: as asked, else twice as long each time; a little more, so that senders spread."""
    wait = float(2 ** min(tries - 1, 5)) if asked is None else asked
    return min(wait, _LONGEST_WAIT) * (1 + random.random() / 4)


def _counts(answer: httpx.Response) -> Answer:
    try:
        data = answer.json()
        return Answer(int(data["accepted"]), int(data["rejected"]))
    except (ValueError, TypeError, KeyError):
        raise InvalidInputError(
            f"{answer.url} does not answer as Logwarden does: found {answer.text[:80]!r}; check --url"
        ) from None


def _reason(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"])
    except (ValueError, TypeError, KeyError):
        return " ".join(answer.text.split())[:200] or answer.reason_phrase
