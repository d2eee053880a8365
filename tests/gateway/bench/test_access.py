"""The reads that are measured are reads as they are promised: answered by the real server, each with its entry."""

from __future__ import annotations

import pytest

from gateway.bench.access import run
from gateway.bench.load import Access, get, keep_asking
from gateway.settings import Settings


@pytest.mark.serial
def test_lookups_are_measured_beside_a_fixed_body_and_every_answer_is_in_the_log() -> None:
    figures = run(20, Settings(workers=1, threads=4), postgres=False, seconds=0.3, clients=(1, 6))

    assert (figures["database"], figures["workers"]) == ("sqlite", 1)
    for number in (1, 6):
        assert 0 < figures[f"lookup_{number}_p50_ms"] <= figures[f"lookup_{number}_p99_ms"]
        assert 0 < figures[f"lookup_{number}_per_s"] <= figures[f"fixed_{number}_per_s"]
    assert figures["ratio_to_fixed_body"] == min(figures["ratio_1"], figures["ratio_6"])
    assert figures["handshakes_per_s"] > 0


def test_nobody_but_a_server_on_the_loopback_is_put_under_load(sqlite_settings: Settings) -> None:
    pki = sqlite_settings.home / "pki"
    stranger = Access("https://192.0.2.1:8443", pki / "trust.pem", pki / "gateway.pem", pki / "gateway.key")

    with pytest.raises(AssertionError, match="only servers on the loopback"):
        keep_asking(stranger, [get("/healthz")], 1, 0.1)
