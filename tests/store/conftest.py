"""Stores of every kind of database: what a store promises holds for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import pytest

from tests.services.postgres import Server

NewPlace = Callable[[], str]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A running server for tests that do not stop it; each test makes databases of its own."""
    server = Server()
    server.start()
    yield server
    server.close()


@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def new_place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> NewPlace:
    """Return where a store of its own can be made, by path or URL: for each kind of database."""
    if request.param == "postgres":
        server: Server = request.getfixturevalue("postgres")
        return server.new_database
    folder, numbers = tmp_path_factory.mktemp("store"), count()
    return lambda: str(folder / f"new {next(numbers)}" / "s.db")


@pytest.fixture
def place(new_place: NewPlace) -> str:
    """Where the test's store can be made."""
    return new_place()
