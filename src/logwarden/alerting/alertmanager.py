"""Sending alerts to an Alertmanager, again and again while they fire: it forgets what is not repeated."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable

import httpx

from logwarden.alerting.rules import Alert, Counts, Rules, resolved
from logwarden.api.record import Case

_PATH = "/api/v2/alerts"
_TIMEOUT_SECONDS = 10.0
_EVERY_SECONDS = 15.0
# An alert that is not repeated for so long counts as resolved, should this process die.
_ENDS_AFTER = 4
_log = logging.getLogger(__name__)


class AlertSender:
    """Evaluates the rules and sends what fires, in a thread; detection never waits for it.

    Parameters
    ----------
    url
        Address of the Alertmanager, without the path of its API.
    rules
        Which alerts there are.
    counts
        Returns the counts of now.
    every
        Seconds between two sendings.
    """

    def __init__(self, url: str, rules: Rules, counts: Callable[[], Counts], *, every: float = _EVERY_SECONDS) -> None:
        self.problem = ""
        """Why the last sending failed; empty if it did not."""
        self._url = url.rstrip("/") + _PATH
        self._rules = rules
        self._counts = counts
        self._every = every
        rules.note_counts(Counts(), time.time())
        self._lock = threading.Lock()
        self._fired: list[Alert] = []
        self._owed: list[Alert] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)
        self._thread.start()

    def note(self, cases: Iterable[Case]) -> None:
        """Take cases that began or grew."""
        with self._lock:
            self._rules.note_cases(cases, time.time())

    def stop(self) -> None:
        """Send once more, and stop. What fires is left to run out, since another detector may go on with it."""
        self._stop.set()
        self._thread.join(2 * _TIMEOUT_SECONDS)

    def _run(self) -> None:
        with httpx.Client(timeout=_TIMEOUT_SECONDS) as client:
            while not self._stop.wait(self._every):
                self._try_to_send(client)
            self._try_to_send(client)

    def _try_to_send(self, client: httpx.Client) -> None:
        try:
            self._send(client)
        except Exception:
            _log.exception("alerts could not be sent")

    def _send(self, client: httpx.Client) -> None:
        now = time.time()
        with self._lock:
            self._rules.note_counts(self._counts(), now)
            firing = self._rules.firing(now)
        # A resolution that did not get through is owed until it does.
        self._owed = resolved([*self._owed, *resolved(self._fired, firing)], firing)
        self._fired = firing
        ends = now + _ENDS_AFTER * self._every
        body = [alert.to_json(ends) for alert in firing] + [alert.to_json(now) for alert in self._owed]
        if body and self._post(client, body):
            self._owed = []

    def _post(self, client: httpx.Client, body: list[dict[str, object]]) -> bool:
        try:
            client.post(self._url, json=body).raise_for_status()
        except httpx.HTTPError as error:
            if not self.problem:
                _log.error("alerts cannot be sent to %s: %s; trying again", self._url, error or type(error).__name__)
            self.problem = str(error) or type(error).__name__
            return False
        self.problem = ""
        return True
