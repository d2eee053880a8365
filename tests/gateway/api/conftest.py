"""One installation for the tests of a module, with two entities landed and one row in quarantine."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient

from tests.gateway.api.installation import BAD, ONE, SOURCE, TWO, Installation, System, ask, company_list, install

PROVIDER, CONSUMER = "urn:xinqiao:market_supervision:front", "urn:xinqiao:customs:risk"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    made = install(tmp_path_factory.mktemp("api") / "home", datetime(2026, 11, 21, 2, 0, tzinfo=UTC))
    yield made
    made.store.close()


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
