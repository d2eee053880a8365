"""What a small delivery costs over mutual TLS, from sending to the receipt with its proof, beside a fixed body."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx

from gateway.bench.access import installed, percentiles
from gateway.bench.fixed import FIXED
from gateway.client import client
from gateway.settings import Settings
from schemas.identifiers import organisation, uscc

DELIVERED = (1, 10, 100)
"""Rows of the small deliveries."""

_WARM_UP = 3
"""Of each size, not measured: statements are prepared, files are opened."""


def run(
    entities: int,
    settings: Settings,
    postgres: bool,
    seed: int = 7,
    seconds: float = 10.0,
    told: Callable[[str], None] = lambda step: None,
) -> dict[str, Any]:
    """Deliver to a new installation with ``entities`` entities, one file after the other; every file is another one.

    The files are registrations, the dearest there are: they also teach who is who, and what waits is tried again.

    Args:
        settings: its ``database_url`` names the server if it is a PostgreSQL; otherwise one is started. Its
            ``workers`` and ``threads`` are those of the gateway.
        seconds: for each size.

    Returns:
        for each size p50 and p99 in milliseconds and how many deliveries they are of; as the limit those of ``fixed``:
        after each delivery the same connection asks for a fixed body, for which nothing is read, written or signed.

    Raises:
        AssertionError: a delivery did not land, or its receipt has no proof.
    """
    figures: dict[str, Any] = {
        "entities": entities,
        "database": "postgresql" if postgres else "sqlite",
        "workers": settings.workers,
        "threads": settings.threads,
    }
    with (
        installed(settings, postgres, entities, seed, told) as (_, access, _),
        client(access.url, access.ca, access.certificate, access.key) as own,
    ):
        number, fixed = 0, list[float]()
        for rows in DELIVERED:
            told(f"deliveries of {rows} rows")
            spent: list[float] = []
            begun = time.perf_counter()
            while len(spent) <= _WARM_UP or time.perf_counter() - begun < seconds:
                spent.append(_deliver(own, number, rows))
                number += rows
                fixed.append(_ask_fixed(own))
            measured = spent[_WARM_UP:]
            figures[f"delivery_{rows}_p50_ms"], figures[f"delivery_{rows}_p99_ms"] = percentiles(measured)
            figures[f"delivery_{rows}_count"] = len(measured)
        figures["fixed_p50_ms"], figures["fixed_p99_ms"] = percentiles(fixed[_WARM_UP:])
    return figures


def _deliver(own: httpx.Client, first: int, rows: int) -> float:
    """Milliseconds from sending a file to having its receipt."""
    content = _company_list(first, rows)
    begun = time.perf_counter()
    answer = own.post(
        "/v1/sources/market_supervision/company_list/deliveries",
        content=content,
        headers={"Content-Type": "text/csv"},
    )
    spent = (time.perf_counter() - begun) * 1000
    if answer.status_code != 201 or answer.json()["new"] != rows or "audit" not in answer.json():
        raise AssertionError(f"not landed: {answer.text[:500]}")
    return spent


def _ask_fixed(own: httpx.Client) -> float:
    """Milliseconds of an exchange with the same server, in which it does nothing."""
    begun = time.perf_counter()
    own.get(FIXED).raise_for_status()
    return (time.perf_counter() - begun) * 1000


def _company_list(first: int, rows: int) -> bytes:
    lines = ["企业名称,统一社会信用代码,注册日期,注册资金,所在省份,地区"]
    for number in range(first, first + rows):
        serial = f"MB{number:06X}"
        code = f"91330110{serial}{organisation.check_character(serial)}"
        code += uscc.check_character(code)
        lines.append(f'测速{number}有限公司,{code},2015-11-04,"1,000(万元)",浙江,杭州')
    return "\r\n".join([*lines, ""]).encode()
