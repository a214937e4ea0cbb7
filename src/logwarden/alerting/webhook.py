"""Webhooks: messages are sent until they are delivered, one after the other, and no more wait than is bearable."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Final

import httpx
import orjson
from pydantic import SecretStr

from logwarden.alerting.news import Message, News
from logwarden.alerting.rules import Counts, Rules
from logwarden.outcome import Outcome

MOST_WAITING: Final = 1000
"""Messages of one webhook that wait; of more, the oldest are given up, and counted."""
_TIMEOUT_SECONDS: Final = 10.0
_EVERY_SECONDS: Final = 1.0
_LONGEST_PAUSE: Final = 60.0
_log = logging.getLogger(__name__)
# It would log every request with its whole address, and the token in it.
logging.getLogger("httpx").setLevel(logging.WARNING)


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
        """Why the last message was not delivered; empty if it was."""
        self._name = name
        self._url = url
        self._waiting: dict[str, Message] = {}
        self._pause = 0.0
        self._again_at = 0.0

    @property
    def waiting(self) -> int:
        """Messages that were not delivered yet."""
        return len(self._waiting)

    def put(self, messages: Iterable[Message]) -> None:
        """Take messages; one that waits is replaced by a newer one about the same."""
        for message in messages:
            self._waiting[message.key] = message
        while len(self._waiting) > MOST_WAITING:
            del self._waiting[next(iter(self._waiting))]
            self.given_up += 1
            if self.given_up == 1 or self.given_up % MOST_WAITING == 0:
                _log.error("webhook %s: %d messages were given up, because it takes none", self._name, self.given_up)

    def deliver(self, client: httpx.Client, now: float, *, at_once: bool = False) -> None:
        """Send what waits, until one is not taken; then pause, longer from time to time. ``now`` is monotonic."""
        if now < self._again_at and not at_once:
            return
        for key, message in list(self._waiting.items()):
            reason = self._post(client, message)
            if reason:
                self._fail(reason, now)
                return
            self._pause, self.problem = 0.0, ""
            del self._waiting[key]

    def _post(self, client: httpx.Client, message: Message) -> str:
        """Send a message; return why it was not taken."""
        body = orjson.dumps(message.body)
        # The same message twice has the same key: its answer may have been lost.
        headers = {"Content-Type": "application/json", "Idempotency-Key": hashlib.sha256(body).hexdigest()[:32]}
        try:
            answer = client.post(self._url.get_secret_value(), content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            return type(error).__name__  # its text may hold the address
        return "" if answer.is_success else f"status {answer.status_code}"

    def _fail(self, reason: str, now: float) -> None:
        if not self.problem:
            _log.error("webhook %s does not take messages: %s; trying again", self._name, reason)
        self.problem = reason
        self._pause = min(max(2 * self._pause, 1.0), _LONGEST_PAUSE)
        self._again_at = now + self._pause


class WebhookSender:
    """Tells webhooks what is new, in a thread; detection never waits for it.

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
        rules.note_counts(Counts(), time.time())
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)
        self._thread.start()

    def note(self, outcome: Outcome) -> None:
        """Take results that were stored."""
        with self._lock:
            for webhook in self._webhooks:
                webhook.news.note_cases(outcome.cases, time.time())
                webhook.news.note_rejected(outcome.rejected)

    def stop(self) -> None:
        """Try once more to deliver, and stop. What is not delivered then is told in the log."""
        self._stop.set()
        self._thread.join(3 * _TIMEOUT_SECONDS)
        left = sum(webhook.waiting for webhook in self._webhooks)
        if left:
            _log.error("%d messages for webhooks were not delivered", left)

    def _run(self) -> None:
        with httpx.Client(timeout=_TIMEOUT_SECONDS) as client:
            while not self._stop.wait(self._every):
                self._try_to_tell(client)
            self._try_to_tell(client, at_once=True)

    def _try_to_tell(self, client: httpx.Client, *, at_once: bool = False) -> None:
        try:
            self._look()
            for webhook in self._webhooks:
                webhook.deliver(client, time.monotonic(), at_once=at_once)
        except Exception:
            _log.exception("webhooks could not be told")

    def _look(self) -> None:
        now = time.time()
        with self._lock:
            self._rules.note_counts(self._counts(), now)
            firing = self._rules.firing(now)
            for webhook in self._webhooks:
                webhook.put(webhook.news.messages(firing, now))
