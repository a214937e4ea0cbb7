"""Webhooks: messages are sent until they are taken, one after the other, and no more wait than is bearable."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

import httpx
import orjson
from pydantic import SecretStr

from logwarden.alerting.news import Message, News
from logwarden.alerting.rules import Counts, Rules
from logwarden.outcome import Outcome

MOST_WAITING: Final = 1000
"""Messages of one webhook that wait; of more, the oldest are given up, and counted."""
_REFUSED: Final = frozenset((400, 406, 409, 411, 413, 414, 415, 422, 431))
"""Status codes that speak of the message: sent again, it would be refused again. After all others it waits."""
_TELL_SECONDS: Final = 60.0
"""Time between two messages of the log about messages given up."""
_TIMEOUT_SECONDS: Final = 10.0
_EVERY_SECONDS: Final = 1.0
_LONGEST_PAUSE: Final = 60.0
_log = logging.getLogger(__name__)
# It would log every request with its whole address, and the token in it.
logging.getLogger("httpx").setLevel(logging.WARNING)


class _Refusal(NamedTuple):
    """Why a message was not taken, and whether it never will be."""

    reason: str
    final: bool = False


class Webhook:
    """Messages on their way to one address.

    Parameters
    ----------
    name
        For messages of the log. The address itself is a secret and never told.
    url
        Where messages are posted.
    news
        What it is told.
    """

    def __init__(self, name: str, url: SecretStr, news: News) -> None:
        self.news = news
        self.given_up = 0
        """Messages that were never delivered."""
        self.problem = ""
        """Why messages wait; empty while none has to."""
        self._name = name
        self._url = url
        self._waiting: dict[str, Message] = {}
        self._pause = 0.0
        self._again_at = 0.0
        self._told_at = -_TELL_SECONDS

    @property
    def waiting(self) -> int:
        """Messages that were not delivered yet."""
        return len(self._waiting)

    def put(self, messages: Iterable[Message]) -> None:
        """Take messages; one that waits is replaced by a newer one about the same."""
        for message in messages:
            self._waiting[message.key] = message
        while len(self._waiting) > MOST_WAITING:
            self._give_up(next(iter(self._waiting)), "too many wait")

    def deliver(self, client: httpx.Client, now: float, *, at_once: bool = False) -> None:
        """Send what waits, until one is not taken; then pause, longer from time to time. ``now`` is monotonic.

        A message that will never be taken is given up, and the next one sent.
        """
        if now < self._again_at and not at_once:
            return
        for key, message in list(self._waiting.items()):
            refusal = self._post(client, message)
            if refusal is not None and not refusal.final:
                self._fail(refusal.reason, now)
                return
            self._pause, self.problem = 0.0, ""
            if refusal is None:
                del self._waiting[key]
            else:
                self._give_up(key, refusal.reason)

    def _give_up(self, key: str, reason: str) -> None:
        del self._waiting[key]
        self.given_up += 1
        now = time.monotonic()
        if now >= self._told_at + _TELL_SECONDS:
            self._told_at = now
            _log.error(
                "webhook %s: %d messages were given up so far, the last one: %s", self._name, self.given_up, reason
            )

    def _post(self, client: httpx.Client, message: Message) -> _Refusal | None:
        """Send a message; return why it was not taken, None if it was."""
        body = orjson.dumps(message.body)
        # The same message twice has the same key: its answer may have been lost.
        headers = {"Content-Type": "application/json", "Idempotency-Key": hashlib.sha256(body).hexdigest()[:32]}
        try:
            answer = client.post(self._url.get_secret_value(), content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            return _Refusal(type(error).__name__)  # its text may hold the address
        if answer.is_success:
            return None
        return _Refusal(f"status {answer.status_code}", answer.status_code in _REFUSED)

    def _fail(self, reason: str, now: float) -> None:
        if reason != self.problem:
            _log.error("webhook %s does not take messages: %s; trying again", self._name, reason)
        self.problem = reason
        self._pause = min(max(2 * self._pause, 1.0), _LONGEST_PAUSE)
        self._again_at = now + self._pause


class WebhookSender:
    """Tells webhooks what is new, each in a thread of its own: neither detection nor another one waits for it.

    Parameters
    ----------
    webhooks
        Whom to tell.
    rules
        Decide about the pipeline's own alerts.
    counts
        Returns the counts of now.
    every
        Seconds between two looks.
    """

    def __init__(
        self, webhooks: list[Webhook], rules: Rules, counts: Callable[[], Counts], *, every: float = _EVERY_SECONDS
    ) -> None:
        self._webhooks = webhooks
        self._rules = rules
        self._counts = counts
        self._every = every
        self._counted_at = time.time()
        rules.note_counts(Counts(), self._counted_at)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(webhook,), name="webhook", daemon=True) for webhook in webhooks
        ]
        for thread in self._threads:
            thread.start()

    def note(self, outcome: Outcome) -> None:
        """Take results that were stored."""
        with self._lock:
            for webhook in self._webhooks:
                webhook.news.note_cases(outcome.cases, time.time())
                webhook.news.note_rejected(outcome.rejected)

    def stop(self) -> None:
        """Try once more to deliver, and stop. What is not delivered then is told in the log."""
        self._stop.set()
        until = time.monotonic() + 3 * _TIMEOUT_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        left = sum(webhook.waiting for webhook in self._webhooks)
        if left:
            _log.error("%d messages for webhooks were not delivered", left)

    def _run(self, webhook: Webhook) -> None:
        with httpx.Client(timeout=_TIMEOUT_SECONDS) as client:
            while not self._stop.wait(self._every):
                self._try_to_tell(webhook, client)
            self._try_to_tell(webhook, client, at_once=True)

    def _try_to_tell(self, webhook: Webhook, client: httpx.Client, *, at_once: bool = False) -> None:
        try:
            self._look(webhook)
            webhook.deliver(client, time.monotonic(), at_once=at_once)
        except Exception:
            _log.exception("webhooks could not be told")

    def _look(self, webhook: Webhook) -> None:
        with self._lock:
            now = time.time()  # the counts have to come in order
            if now >= self._counted_at + self._every:
                self._counted_at = now
                self._rules.note_counts(self._counts(), now)
            webhook.put(webhook.news.messages(self._rules.firing(now), now))
