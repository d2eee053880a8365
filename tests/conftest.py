"""Fixtures that every test may use: initialised homes on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import hypothesis
import pytest
from sqlalchemy.engine import URL, make_url

from gateway.bench.postgres import database
from gateway.home import initialise
from gateway.settings import Settings
from gateway.store import Store, open_store
from tests.support.databases import Reused, server_for_tests
from tests.support.token import Token, softhsm

pytest_plugins = ["tests.golden_plugin"]

# How long an example takes says something about the machine, not about the code.
hypothesis.settings.register_profile("xinqiao", deadline=None)
hypothesis.settings.load_profile("xinqiao")

NOW = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
"""The date at which the tests happen, unless one says otherwise."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What has to be installed first is known by the fixtures that use it."""
    for item in items:
        if {"token", "go_verifier"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.tools)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture(scope="session")
def postgres() -> Iterator[URL]:
    """A real server: the one that the test script started for all workers, else one of our own."""
    if given := os.environ.get("XINQIAO_TEST_POSTGRES"):
        yield make_url(given)
        return
    with server_for_tests() as url:
        yield url


@pytest.fixture(scope="session")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Token]:
    """A PKCS#11 token; one for all tests of a process, because its library is initialised once per process."""
    with softhsm(tmp_path_factory.mktemp("token")) as made:
        yield made


@pytest.fixture(scope="session")
def sqlite_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An initialised home that is copied for each test, because keys and tables take a second to make."""
    home = tmp_path_factory.mktemp("home")
    initialise(Settings(home=home), NOW)
    return home


@pytest.fixture(scope="session")
def postgres_home(tmp_path_factory: pytest.TempPathFactory, postgres: URL) -> Iterator[tuple[Path, Reused]]:
    """The same with its tables in a PostgreSQL database, which is the template of the one that tests are lent."""
    home = tmp_path_factory.mktemp("home")
    with database(postgres, f"template_{os.getpid()}") as url:
        initialise(_settings(home, url), NOW)
        reused = Reused(url, f"test_{os.getpid()}")
        yield home, reused
        reused.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """Settings of an initialised installation; the test runs once on each database."""
    home = tmp_path / "home"
    if request.param == "sqlite":
        shutil.copytree(request.getfixturevalue("sqlite_home"), home)
        yield Settings(home=home)
        return
    template, reused = request.getfixturevalue("postgres_home")
    shutil.copytree(template, home)
    with reused.lent() as own:
        yield _settings(home, own)


@pytest.fixture
def sqlite_settings(sqlite_home: Path, tmp_path: Path) -> Settings:
    """Settings of an initialised installation on SQLite, for tests in which the database plays no part."""
    home = tmp_path / "home"
    shutil.copytree(sqlite_home, home)
    return Settings(home=home)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    """An open, initialised store; the test runs once on each database."""
    opened = open_store(settings)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_store(sqlite_settings: Settings) -> Iterator[Store]:
    """An open, initialised store on SQLite alone."""
    opened = open_store(sqlite_settings)
    yield opened
    opened.close()


def _settings(home: Path, url: URL) -> Settings:
    return replace(Settings(home=home), database_url=url.render_as_string(hide_password=False))
