"""What an event is, how it acts on the network, and the registry of all kinds."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from lab.network import Network

EventType = Literal["fault", "maintenance"]


class Scene:
    """What an event's function gets: the network, its dice, its time, and its label.

    Parameters
    ----------
    network
        The running network.
    rng
        Dice of this event, from the seed of the recording.
    seconds
        How long the event lasts.
    """

    def __init__(self, network: Network, rng: random.Random, seconds: float) -> None:
        self.network = network
        self.rng = rng
        self.seconds = seconds
        self.hosts: list[str] = []
        self.affected: list[str] = []
        self.parameters: dict[str, object] = {}
        self._end = time.monotonic() + seconds

    def label(self, hosts: Sequence[str], affected: Sequence[str] = (), **parameters: object) -> None:
        """Write into the truth where this happens, who may show it, and how it was done."""
        self.hosts = sorted(set(hosts))
        self.affected = sorted(set(hosts) | set(affected))
        self.parameters.update(parameters)

    def left(self) -> float:
        """Seconds until the event shall end."""
        return max(0.0, self._end - time.monotonic())

    def wait(self, seconds: float | None = None) -> None:
        """Let time pass, at most to the end of the event."""
        time.sleep(self.left() if seconds is None else min(seconds, self.left()))


@dataclass(frozen=True)
class Kind:
    """A kind of event.

    Attributes
    ----------
    seconds
        Shortest and longest duration.
    shows
        Which lines show it, for the documentation.
    """

    name: str
    type: EventType
    area: str
    seconds: tuple[float, float]
    shows: str
    act: Callable[[Scene], None] = field(repr=False)

    @property
    def injects(self) -> str:
        """What is done, in the words of the function's docstring."""
        return " ".join((self.act.__doc__ or "").split())


KINDS: dict[str, Kind] = {}


def _register(
    type_: EventType, area: str, seconds: tuple[float, float], shows: str
) -> Callable[[Callable[[Scene], None]], Callable[[Scene], None]]:
    def keep(act: Callable[[Scene], None]) -> Callable[[Scene], None]:
        name = act.__name__
        if name in KINDS:
            raise ValueError(f"two kinds are called {name}")
        KINDS[name] = Kind(name, type_, area, seconds, shows, act)
        return act

    return keep


def fault(
    area: str, seconds: tuple[float, float], shows: str
) -> Callable[[Callable[[Scene], None]], Callable[[Scene], None]]:
    """Register a function as a kind of fault; its name is the kind."""
    return _register("fault", area, seconds, shows)


def maintenance(
    area: str, seconds: tuple[float, float], shows: str
) -> Callable[[Callable[[Scene], None]], Callable[[Scene], None]]:
    """Register a function as planned work, which is no anomaly."""
    return _register("maintenance", area, seconds, shows)
