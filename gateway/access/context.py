"""What a use case is given: the open store, the verified caller, the time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from certs.verify import Identity
from connectors.vault import Vault
from gateway.access.quotas import Meter
from gateway.sealing import Sealer
from gateway.store import Store


@dataclass(frozen=True)
class Context:
    """One request of one caller.

    Attributes:
        store: the open database.
        sealer: opens personal fields for grants that show them.
        vault: where delivered bytes are kept.
        caller: who asks, as its certificate proved on this very request.
        now: UTC.
        meter: of the process; counts the reads of each system against its quota.
    """

    store: Store
    sealer: Sealer
    vault: Vault
    caller: Identity
    now: datetime
    meter: Meter = field(default_factory=Meter)
