"""Every fuzz target by its name."""

from __future__ import annotations

from tests.fuzz import certificates, http, log
from tests.fuzz.target import Target

TARGETS: dict[str, Target] = {target.name: target for target in (*certificates.TARGETS, *log.TARGETS, *http.TARGETS)}
