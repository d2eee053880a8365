"""Who asks: the certificate of the connection, verified on every request; and what a request works with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import BoundedSemaphore
from typing import Any, cast
from urllib.parse import quote

import structlog
from cryptography import x509
from flask import Flask, Response, current_app, g, request

from certs.revocation import Standing
from certs.trust import TrustFile
from certs.verify import Identity, verify
from connectors.vault import Vault
from gateway.access.context import Context
from gateway.access.quotas import Meter
from gateway.audit import circumstances
from gateway.certificates import RegistrySource
from gateway.sealing import Sealer
from gateway.store import Store

log = structlog.get_logger(__name__)

PURPOSE_HEADER = "Xinqiao-Purpose"
GRACE_HEADER = "Xinqiao-Certificate-Grace"

_EXTENSION = "xinqiao"


@dataclass(frozen=True)
class Services:
    """What is made once per process and shared by its requests.

    Attributes:
        store: the open database.
        sealer: of the installation.
        vault: where delivered bytes are kept.
        trust: the authorities that are believed, read again when their file changes.
        clock: gives the time, UTC.
        peer_chain: the DER certificates that the TLS layer proved, from the WSGI environment.
        waiting: taken by each long poll; fewer than there are threads, so that waiting never stops the others.
        meter: counts the reads of each system.
    """

    store: Store
    sealer: Sealer
    vault: Vault
    trust: TrustFile
    clock: Callable[[], datetime]
    peer_chain: Callable[[Mapping[str, Any]], Sequence[bytes]]
    waiting: BoundedSemaphore
    meter: Meter


def services() -> Services:
    """The services of the running application."""
    return cast(Services, current_app.extensions[_EXTENSION])


def install(extensions: dict[str, Any], made: Services) -> None:
    """Make the services known to the application."""
    extensions[_EXTENSION] = made


def context() -> Context:
    """The verified caller and what its request works with; verified once in every request, never remembered.

    A request that waits verifies its caller again: see ``verify_again``.

    Raises:
        certs.errors.NotTrusted: no certificate, or one that fails a step of ``certs/verify.py``.
    """
    if "context" not in g:
        made = services()
        now = made.clock()
        g.context = Context(made.store, made.sealer, made.vault, _caller(made, now), now, made.meter)
    return cast(Context, g.context)


def verify_again() -> None:
    """Let ``context`` verify the caller anew, at the time it is now: for requests that have waited."""
    g.pop("context", None)


def _caller(made: Services, now: datetime) -> Identity:
    caller = verify(made.peer_chain(request.environ), made.trust.current(), _Registry(made.store), now)
    circumstances.note(_vouched(caller))
    if caller.grace:
        # Once a request, wherever it goes: in the entries, in the answer, in the log, in the metrics.
        g.certificate_grace = caller.grace
        log.warning("certificate counts by grace only", caller=caller.urn, grace=caller.grace)
    return caller


@dataclass(frozen=True)
class _Registry:
    """The registry, connected to while it is asked and no longer: an external authority may be waited for meanwhile."""

    store: Store

    def standing(self, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> Standing:
        with self.store.ask() as conn:
            return RegistrySource(conn).standing(certificate, issuer, now)

    def holder(self, urn: str) -> str:
        with self.store.ask() as conn:
            return RegistrySource(conn).holder(urn)


def _vouched(caller: Identity) -> dict[str, str]:
    """What every audit entry of this request says about an authority that is not ours."""
    told = {"certificate_authority": caller.authority, "certificate_grace": caller.grace}
    return {name: value for name, value in told.items() if value}


def tell_grace(app: Flask) -> None:
    """Make every answer to a caller whose certificate counts by grace say so, and no entry of anybody else."""

    def forget(error: BaseException | None) -> None:
        circumstances.note({})

    def tell(answer: Response) -> Response:
        if grace := g.get("certificate_grace"):
            # Names of files are in it, and those may be Chinese; a header is ASCII, percent-encoded like a purpose.
            answer.headers[GRACE_HEADER] = quote(grace, safe=" ,/:;@[]")
        return answer

    app.after_request(tell)
    app.teardown_request(forget)
