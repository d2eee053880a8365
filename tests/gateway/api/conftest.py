"""One installation for the tests of a module, with two entities landed and one row in quarantine."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL

from tests.gateway.api.installation import BAD, ONE, SOURCE, TWO, Installation, System, ask, company_list, install

PROVIDER, CONSUMER = "urn:xinqiao:market_supervision:front", "urn:xinqiao:customs:risk"


ON_BOTH_DATABASES = {"test_deliveries", "test_exports", "test_quotas", "test_reads", "test_sharing", "test_streams"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Where the database does the work, the tests run on each."""
    if "home" in metafunc.fixturenames and metafunc.module.__name__.rsplit(".", 1)[-1] in ON_BOTH_DATABASES:
        metafunc.parametrize("home", ["sqlite", "postgresql"], indirect=True, scope="module")


@pytest.fixture(scope="module")
def home(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("api") / "home"
    with ExitStack() as stack:
        url = ""
        if getattr(request, "param", "sqlite") == "postgresql":
            url = stack.enter_context(_database(request.getfixturevalue("postgres")))
        made = install(folder, datetime(2026, 11, 21, 2, 0, tzinfo=UTC), url)
        stack.callback(made.close)
        yield made


@contextmanager
def _database(server: URL) -> Iterator[str]:
    name = f"api_{os.getpid()}_{secrets.token_hex(4)}"
    engine = create_engine(server.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as conn:
        conn.execute(text(f"CREATE DATABASE {name}"))
        yield server.set(database=name).render_as_string(hide_password=False)
        conn.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@pytest.fixture(scope="module")
def client(home: Installation) -> FlaskClient:
    return home.client()


@pytest.fixture(scope="module")
def provider(home: Installation) -> System:
    return home.system(PROVIDER)


@pytest.fixture(scope="module")
def consumer(home: Installation) -> System:
    return home.system(CONSUMER)


@pytest.fixture(scope="module")
def landed(home: Installation, client: FlaskClient, provider: System) -> str:
    """Id of a delivery of two sound rows and one whose code has a wrong check character."""
    file = company_list(("杭州甲有限公司", ONE), ("宁波乙有限公司", TWO), ("丙有限公司", BAD))
    answer = ask(client, provider, "POST", f"/v1/sources/{SOURCE}/deliveries", data=file, content_type="text/csv")
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return str(answer.get_json()["delivery_id"])
