"""An installation on each database, with one company landed that several systems have read or not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import pytest
from flask.testing import FlaskClient

from gateway.settings import Settings
from gateway.store import open_store
from tests.gateway.api.installation import ONE, SOURCE, Installation, System, ask, company_list
from tests.gateway.notifications.support import NAME, PROVIDER

SQLITE = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)


@pytest.fixture
def home(settings: Settings, now: datetime) -> Iterator[Installation]:
    opened = replace(settings, workers=1, threads=4)
    made = Installation(opened, open_store(opened), now)
    yield made
    made.close()


@pytest.fixture
def client(home: Installation) -> FlaskClient:
    return home.client()


@pytest.fixture
def provider(home: Installation, client: FlaskClient) -> System:
    """The agency's system, which has delivered one company with a wrong name."""
    system = home.system(PROVIDER)
    file = company_list((NAME, ONE))
    answer = ask(client, system, "POST", f"/v1/sources/{SOURCE}/deliveries", data=file, content_type="text/csv")
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return system
