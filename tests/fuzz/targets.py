"""Every fuzz target by its name."""

from __future__ import annotations

from tests.fuzz import certificates, http, log, signatures
from tests.fuzz.target import Target

_MODULES = (certificates, log, http, signatures)
TARGETS: dict[str, Target] = {target.name: target for module in _MODULES for target in module.TARGETS}
