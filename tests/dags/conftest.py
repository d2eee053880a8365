"""An Airflow of its own for these tests, with the sandbox agencies running in this process.

Airflow reads its settings when it is first imported, so nothing here or in a test file imports it
at the top: the fixture sets the environment first, and takes it back after the last test.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from connectors.sandbox.serve import start
from gateway.home import initialise
from gateway.settings import Settings
from tests.conftest import NOW
from tests.dags.installation import Installation

ROOT = Path(__file__).parents[2]
# Airflow 3.3 uses what its own dependencies have deprecated; nothing here can change that.
_NOISE = (
    "ignore:Using `httpx` with `starlette.testclient` is deprecated",
    "ignore:GitWildMatchPattern:DeprecationWarning",  # how it reads dags/.airflowignore
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder runs alone: Airflow keeps one metadata database a process."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.serial)
            item.add_marker(pytest.mark.filterwarnings(*_NOISE))


@pytest.fixture(scope="package")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A home with running agencies, and the DAGs as Airflow loads them."""
    if "airflow" in sys.modules:
        raise AssertionError("airflow was imported before its settings were made; import it inside the test")
    home, airflow_home = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("airflow")
    settings = Settings(home=home)
    initialise(settings, NOW)
    sandbox = start(home, seed=7, size=60)
    (home / "connections.yml").write_text(yaml.safe_dump(sandbox.connections(), allow_unicode=True), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XINQIAO_HOME", str(home))
        patch.setenv("AIRFLOW_HOME", str(airflow_home))
        patch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(ROOT / "dags"))
        patch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
        patch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", f"sqlite:///{airflow_home / 'airflow.db'}")
        patch.setenv("AIRFLOW__LOGGING__LOGGING_LEVEL", "WARNING")
        from airflow.dag_processing.dagbag import DagBag
        from airflow.utils.db import initdb

        initdb()
        bag = DagBag(str(ROOT / "dags"))
        yield Installation(settings, sandbox, bag)
    sandbox.stop()
