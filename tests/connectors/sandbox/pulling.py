"""The gateway's way in over a sandbox: pull as a task does, decode and map what came."""

from __future__ import annotations

from datetime import UTC, datetime

import yaml

from connectors.connections import Connections
from connectors.delivery import Delivery, Mapped
from connectors.mapping import map_sheet
from connectors.receive import receive
from connectors.registry import source
from connectors.sandbox.serve import Sandbox
from connectors.vault import Vault
from tests.connectors.support import decode

NOW = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)


def pull(sandbox: Sandbox, name: str, cursor: str | None = None) -> list[Delivery]:
    """Everything a source has to say since the cursor."""
    (sandbox.home / "connections.yml").write_text(yaml.safe_dump(sandbox.connections()), "utf-8")
    return list(receive(source(name), Connections.load(sandbox.home), Vault(sandbox.home), cursor, NOW))


def mapped(delivery: Delivery) -> Mapped:
    """A delivery in the shared fields."""
    spec = source(delivery.source)
    return map_sheet(decode(delivery, spec), spec)
