"""What a running pipeline does now and then."""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime, timedelta

from logwarden.api.base import duration_seconds
from logwarden.api.log_pipeline import LogPipeline
from logwarden.store import Store, StoreError

_log = logging.getLogger(__name__)


class Every:
    """True about every so many seconds, the first time at once."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last = float("-inf")

    def due(self) -> bool:
        """Tell whether it is time again."""
        now = time.monotonic()
        if now - self._last < self._seconds:
            return False
        self._last = now
        return True


def prune_in_background(store: Store, pipeline: LogPipeline) -> None:
    """Remove results that are older than the pipeline keeps them, in a thread for a moment."""
    keep = timedelta(seconds=duration_seconds(pipeline.spec.store.retention))

    def prune() -> None:
        try:
            store.prune(datetime.now(UTC) - keep)
        except StoreError as error:
            _log.warning("old results could not be removed: %s; it is tried again in an hour", error)

    threading.Thread(target=prune, name="retention", daemon=True).start()
