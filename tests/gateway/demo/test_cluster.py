"""What a worker is given: the broker and the way to its tasks; neither Airflow's database nor its secrets."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import make_url

from connectors.errors import Unavailable
from gateway.demo.broker import Broker
from gateway.demo.cluster import Cluster
from gateway.settings import Settings

METADATA = make_url("postgresql+psycopg://airflow:of-airflow@127.0.0.1/airflow")
SERVERS = {
    "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": "http://127.0.0.1:1/execution/",
    "AIRFLOW__CELERY__BROKER_URL": "redis://:of-broker@127.0.0.1/0",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql+psycopg://airflow:of-airflow@127.0.0.1/airflow",
    "AIRFLOW__API_AUTH__JWT_SECRET": "jwt",
    "AIRFLOW__API__SECRET_KEY": "session",
    "AIRFLOW__CORE__FERNET_KEY": "fernet",
}


class Started(Cluster):
    """Notes what would be started."""

    def _spawn(self, name: str, arguments: list[str], environ: dict[str, str]) -> None:  # type: ignore[override]
        self.given = (name, arguments, environ)


def test_a_worker_is_given_the_broker_and_no_secret_of_airflows(tmp_path: Path) -> None:
    cluster = Started(Settings(home=tmp_path), metadata=METADATA, broker=Broker(tmp_path / "broker"))
    cluster.home.mkdir(parents=True)

    cluster.start_worker("worker1", SERVERS)

    name, arguments, environ = cluster.given
    assert (name, arguments[:2]) == ("worker1", ["celery", "worker"])
    assert environ["AIRFLOW__CELERY__BROKER_URL"] == SERVERS["AIRFLOW__CELERY__BROKER_URL"]
    assert environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].startswith("sqlite:///")
    assert not {"jwt", "session", "fernet"} & set(environ.values())
    assert not any("of-airflow" in value for value in environ.values())
    assert not any("of-broker" in argument for argument in arguments)


def test_a_machine_without_redis_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(Unavailable, match="there is no redis-server; install it"):
        Broker(tmp_path / "broker").start()
