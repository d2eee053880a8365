"""An installation with one landed entity, and a running server over it, for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from gateway.server import ServerProcess, start
from tests.gateway.api.installation import ONE, SOURCE, Installation, System, ask, company_list, install

PROVIDER, CONSUMER = "urn:xinqiao:market_supervision:front", "urn:xinqiao:customs:risk"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    # A server in a process of its own goes by the real time, and so do the certificates here.
    made = install(tmp_path_factory.mktemp("soap") / "home", datetime.now(UTC))
    provider = made.system(PROVIDER)
    file = company_list(("杭州甲有限公司", ONE))
    address = f"/v1/sources/{SOURCE}/deliveries"
    answer = ask(made.client(), provider, "POST", address, data=file, content_type="text/csv")
    assert answer.status_code == 201, answer.get_data(as_text=True)
    made.grant(made.system(CONSUMER).urn)
    yield made
    made.close()


@pytest.fixture(scope="module")
def provider(home: Installation) -> System:
    return home.system(PROVIDER)


@pytest.fixture(scope="module")
def consumer(home: Installation) -> System:
    return home.system(CONSUMER)


@pytest.fixture(scope="module")
def server(home: Installation) -> Iterator[ServerProcess]:
    with start(home.settings) as running:
        yield running
