"""``/metrics`` in the Prometheus text format: what the database counts, and what this worker process has answered."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping

from flask import Flask, Response, g, request
from sqlalchemy import select

from gateway.api.callers import context, services
from gateway.store import Store
from gateway.store.counts import DELIVERIES, REJECTIONS, STANDING, counted
from gateway.store.tables import positions

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Sample = tuple[Mapping[str, str], float]


class Requests:
    """Requests answered by this process, by endpoint and status, and the seconds they took."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count: Counter[tuple[str, str]] = Counter()
        self._seconds: Counter[str] = Counter()
        self._by_grace = 0

    def add(self, endpoint: str, status: str, seconds: float, by_grace: bool) -> None:
        """Count one answer."""
        with self._lock:
            self._by_grace += by_grace
            self._count[endpoint, status] += 1
            self._seconds[endpoint] += seconds  # type: ignore[assignment]  # Counter holds any number; its stub says int

    def counts(self) -> list[Sample]:
        """How many, with their labels."""
        with self._lock:
            return [({"endpoint": e, "status": s}, float(n)) for (e, s), n in sorted(self._count.items())]

    def by_grace(self) -> list[Sample]:
        """How many of them to callers whose certificate counted only because a grace period is configured."""
        with self._lock:
            return [({}, float(self._by_grace))]

    def seconds(self) -> list[Sample]:
        """How long altogether, with their labels."""
        with self._lock:
            return [({"endpoint": e}, float(n)) for e, n in sorted(self._seconds.items())]


def count_requests(app: Flask) -> None:
    """Make the application count what it answers, and tell it at ``/metrics``."""
    counted = Requests()

    def begin() -> None:
        g.began = time.perf_counter()

    def end(answer: Response) -> Response:
        endpoint = request.endpoint or "none"
        seconds = time.perf_counter() - g.get("began", time.perf_counter())
        counted.add(endpoint, str(answer.status_code), seconds, "certificate_grace" in g)
        return answer

    @app.get("/metrics")
    def metrics() -> Response:
        context()
        return Response(render(counted), content_type=MEDIA_TYPE)

    app.before_request(begin)
    app.after_request(end)


def render(answered: Requests) -> str:
    """Every metric as text."""
    worker = {"worker": str(os.getpid())}
    families = [
        ("xinqiao_requests_total", "counter", "Requests answered by this worker process.", answered.counts()),
        ("xinqiao_certificate_grace_requests_total", "counter", "Requests by certificates that counted by grace only.",
         answered.by_grace()),
        ("xinqiao_request_seconds_total", "counter", "Seconds this worker process spent answering.",
         answered.seconds()),
    ]  # fmt: skip
    own = [
        _family(name, kind, told, [({**labels, **worker}, n) for labels, n in samples])
        for name, kind, told, samples in families
    ]
    return counters(services().store) + "".join(own)


def counters(store: Store) -> str:
    """What the database counts. Counters are read, never what they count: it costs the same however much landed."""
    with store.read() as conn:
        by_delivery, by_rejection, standing = (counted(conn, what) for what in (DELIVERIES, REJECTIONS, STANDING))
        by_feed = conn.execute(select(positions.c.record_type, positions.c.last_seq)).all()
    families = [
        ("xinqiao_deliveries", "gauge", "Deliveries by source and state.",
         [({"source": a, "status": b}, n) for a, b, n in by_delivery]),
        ("xinqiao_versions_landed_total", "counter", "Versions landed, the newest position of each feed.",
         [({"record_type": a}, n) for a, n in by_feed]),
        ("xinqiao_rejected_rows", "gauge", "Quarantined rows by source and state.",
         [({"source": a, "status": b}, n) for a, b, n in by_rejection]),
        ("xinqiao_standing_records", "gauge", "Records that stand, by source and record type.",
         [({"source": a, "record_type": b}, n) for a, b, n in standing]),
    ]  # fmt: skip
    return "".join(_family(*family) for family in families)


def _family(name: str, kind: str, told: str, samples: Iterable[Sample]) -> str:
    lines = [f"# HELP {name} {told}", f"# TYPE {name} {kind}"]
    for labels, value in samples:
        inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        lines.append(f"{name}{{{inside}}} {value:.15g}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
