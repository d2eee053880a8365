"""Receiving from any source: the transport that its ``source.yml`` names, or its own adapter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from importlib import import_module
from typing import TypeAlias

from connectors.connections import Connection, Connections
from connectors.delivery import Delivery
from connectors.registry import adapter
from connectors.spec import SourceSpec
from connectors.vault import Vault

Receive: TypeAlias = Callable[[SourceSpec, Connection, Vault, "str | None", datetime], Iterator[Delivery]]


def receive(
    spec: SourceSpec, connections: Connections, vault: Vault, cursor: str | None, now: datetime
) -> Iterator[Delivery]:
    """Fetch what the source has to say since the cursor; bytes are kept before anyone looks at them.

    Raises:
        Unavailable: try again later; nothing was delivered.
        Refused: a person must act; also where ``connections.yml`` lacks the endpoint.
        SourceChanged: the source cannot even be read in the declared order.
    """
    yield from _transport(spec)(spec, connections.of(spec.endpoint), vault, cursor, now)


def _transport(spec: SourceSpec) -> Receive:
    module = adapter(spec)
    if module is not None and hasattr(module, "receive"):
        own: Receive = module.receive
        return own
    # Imported when used: zeep and SQLAlchemy are not needed to drop a file.
    transport: Receive = import_module(f"connectors.transports.{spec.transport}").receive
    return transport


def acknowledge(delivery: Delivery, spec: SourceSpec, connections: Connections) -> None:
    """Tell the source that a delivery has landed: a file leaves the drop folder; others need nothing."""
    if delivery.origin.startswith("drop:"):
        from connectors.transports.files import acknowledge as take_away

        take_away(delivery, connections.of(spec.endpoint))
