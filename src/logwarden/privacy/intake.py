"""Masking at collection: between listeners and where their lines are kept."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future

from logwarden.privacy.masking import Privacy
from logwarden.sources.listening import Intake


class MaskingIntake:
    """An intake (:class:`logwarden.sources.listening.Intake`) that hands on nothing that is hidden."""

    def __init__(self, intake: Intake, privacy: Privacy) -> None:
        self._intake = intake
        self._privacy = privacy

    @property
    def crowded(self) -> bool:
        """See :class:`logwarden.sources.listening.Intake`."""
        return self._intake.crowded

    @property
    def problem(self) -> str:
        """See :class:`logwarden.sources.listening.Intake`."""
        return self._intake.problem

    def append(
        self,
        listener: str,
        lines: Sequence[bytes],
        peers: str | Sequence[str] = "",
        *,
        keys: Sequence[str] | None = None,
        reason: str = "",
        late: bool = False,
    ) -> None:
        """Hand on lines, senders, keys and the reason without what is hidden."""
        hide = self._privacy
        self._intake.append(
            listener,
            [hide.line(line) for line in lines],
            hide.text(peers) if isinstance(peers, str) else [hide.text(peer) for peer in peers],
            keys=None if keys is None else [hide.text(key) for key in keys],
            reason=hide.text(reason),
            late=late,
        )

    def durable(self) -> Future[None]:
        """See :class:`logwarden.sources.listening.Intake`."""
        return self._intake.durable()
