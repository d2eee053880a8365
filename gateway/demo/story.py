"""The demo as a sequence: everything real, on loopback, in a new home."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from connectors.registry import sources
from gateway.audit.verify import VerifyReport, verify
from gateway.certificates import revoke
from gateway.certificates_publish import pki_files
from gateway.clock import utc_now
from gateway.dag_names import dag_id
from gateway.demo.airflow import Airflow
from gateway.demo.consumer import Consumer
from gateway.demo.exchanges import Exchange, run_all
from gateway.demo.show import Show
from gateway.demo.stage import REFUSED_TYPE, SandboxProcess, enrol, grant_all_but_one, start_sandbox
from gateway.home import initialise, open_home
from gateway.server import ServerProcess
from gateway.server import start as start_gateway
from gateway.settings import Settings
from gateway.store import Store

FEED_TYPE = "product_sampling"
"""The feed that is read: samples carry no code, so they first land unresolved and are linked as new versions."""
_PAGE = 50


@dataclass
class Stage:
    """Everything that runs during the demo."""

    settings: Settings
    store: Store
    sandbox: SandboxProcess
    airflow: Airflow
    gateway: ServerProcess
    consumer: Consumer


@contextmanager
def running(settings: Settings, seed: int, size: int, show: Show) -> Iterator[Stage]:
    """Start agencies, Airflow and gateway; all of them end with the block."""
    now = utc_now()
    with ExitStack() as ending:
        with show.step("新建 XINQIAO_HOME、证书机构和数据库", "a new home, certificate authority and database"):
            initialise(settings, now)
            store = open_home(settings)
            ending.callback(store.close)
        airflow = Airflow(settings)
        ending.callback(airflow.stop)
        # Airflow needs half a minute to get ready; the rest is set up meanwhile.
        starting = _InBackground(airflow.start)
        with show.step("沙箱机构：SOAP、REST、文件、前置库", "sandbox agencies: SOAP, REST, files, front-end tables"):
            sandbox = start_sandbox(settings, seed, size)
            ending.callback(sandbox.stop)
        with show.step("网关启动，双向 TLS", "the gateway, over mutual TLS"):
            gateway = start_gateway(settings)
            ending.callback(gateway.stop)
        with show.step("消费方系统登记、发证、授权", "a consumer: registered, certified, granted"):
            client = enrol(store, "credit_platform", "archive", "信用档案系统", now)
            grant_all_but_one(store, client, now)
            consumer = ending.enter_context(Consumer(gateway.url, pki_files(settings).trust, client))
        with show.step("Airflow 就绪", "Airflow is ready"):
            starting.result()
            airflow.wait_until_ready(dag_id(source) for source in sources())
        yield Stage(settings, store, sandbox, airflow, gateway, consumer)


def tell(stage: Stage, show: Show) -> dict[str, Any]:
    """The main job: exchanges, picture, refusals, feed, audit; returns the summary for programs."""
    begun = time.monotonic()
    with show.progress(len(sources())) as told:
        exchanges = run_all(stage.airflow, told)
    show.exchanges(exchanges)
    picture = stage.consumer.entity(stage.sandbox.showcase_uscc)
    show.picture(picture)
    refusals = [_refused_for_want_of_grant(stage), _refused_for_revocation(stage, utc_now())]
    show.refusals(refusals)
    lines = _whole_feed(stage.consumer)
    show.feed(FEED_TYPE, lines)
    report = verify(stage.store)
    show.audit(report, stage.settings)
    return _summary(stage, exchanges, picture, refusals, lines, report, time.monotonic() - begun)


def _refused_for_want_of_grant(stage: Stage) -> dict[str, Any]:
    return stage.consumer.refusal(f"/v1/records/{REFUSED_TYPE}", uscc=stage.sandbox.showcase_uscc)


def _refused_for_revocation(stage: Stage, now: datetime) -> dict[str, Any]:
    """A second system reads once, is revoked, and asks again on the connection it still has open."""
    client = enrol(stage.store, "health", "clinic", "卫生监督系统", now)
    grant_all_but_one(stage.store, client, now)
    with Consumer(stage.gateway.url, pki_files(stage.settings).trust, client) as other:
        other.entity(stage.sandbox.showcase_uscc)
        with stage.store.write() as conn:
            revoke(conn, client.serial, "key_compromise", "demo", now)
        return other.refusal(f"/v1/entities/{stage.sandbox.showcase_uscc}")


def _whole_feed(consumer: Consumer) -> list[dict[str, Any]]:
    """Every version, page by page, each page from the cursor that the one before gave."""
    lines: list[dict[str, Any]] = []
    cursor = 0
    while True:
        page, cursor = consumer.feed(FEED_TYPE, cursor, _PAGE)
        if not page:
            return lines
        lines += page


def _summary(
    stage: Stage,
    exchanges: list[Exchange],
    picture: dict[str, Any],
    refusals: list[dict[str, Any]],
    lines: list[dict[str, Any]],
    report: VerifyReport,
    seconds: float,
) -> dict[str, Any]:
    agencies = sorted({record["source"].split("/")[0] for records in picture["records"].values() for record in records})
    return {
        "ok": report.ok and all(exchange.state == "success" for exchange in exchanges) and len(agencies) >= 4,
        "home": str(stage.settings.home),
        "gateway": stage.gateway.url,
        "airflow": stage.airflow.url,
        "sources": {e.source: {"state": e.state, "seconds": round(e.seconds, 1), **e.counts} for e in exchanges},
        "entity": {"uscc": picture["uscc"], "name": picture["name"], "agencies": agencies},
        "refusals": [{"status": refusal["status"], "code": refusal["code"]} for refusal in refusals],
        "feed": {"record_type": FEED_TYPE, "positions": [line["seq"] for line in lines]},
        "audit": {"ok": report.ok, "entries": report.entries, "versions": report.checked_versions},
        "seconds": round(seconds, 1),
    }


def new_home(settings: Settings, now: datetime) -> Settings:
    """Settings of a home that nobody has used: a folder named by the time, below the configured one."""
    home = settings.home / "demo" / f"{now:%Y%m%d-%H%M%S-%f}"
    return replace(settings, home=home, database_url="", port=0)


class _InBackground:
    """One function in a thread of its own; its result or error is asked for later."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._error: BaseException | None = None
        self._work = work
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # handed to the thread that asks for the result
            self._error = error

    def result(self) -> None:
        self._thread.join()
        if self._error is not None:
            raise self._error
