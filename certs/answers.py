"""What a list or a responder of another authority says of one certificate, and how long that counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from cryptography import x509

from certs.revocation import Standing, Status

# Other people's clocks are minutes off; what claims to have been said later than that is not believed.
SKEW = timedelta(minutes=5)


@dataclass(frozen=True)
class Answer:
    """What one source says of one certificate.

    Attributes:
        status: as the source says it; whether it still counts is ``judged``'s business.
        reason: key of ``certs.revocation.REASONS`` when revoked; what is missing when unknown.
        since: when it was revoked, UTC.
        until: the end of what was said (nextUpdate), UTC; set whenever the status is good.
    """

    status: Status
    reason: str = ""
    since: datetime | None = None
    until: datetime | None = None


class Source(Protocol):
    """A list or a responder."""

    @property
    def name(self) -> str:
        """Where the answers come from, as the configuration names it."""
        ...

    @property
    def is_asked(self) -> bool:
        """Whether it is asked about each certificate and has nothing at hand for all."""
        ...

    def at_hand(self, authorities: Sequence[x509.Certificate]) -> tuple[datetime | None, str]:
        """Until when what is at hand counts, without fetching anything; None and why if there is nothing."""
        ...

    def answer(self, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> Answer:
        """What is said of the certificate, whose signature by ``issuer`` is already proven."""
        ...


def unknown(problem: str) -> Answer:
    """No answer, and why."""
    return Answer(Status.UNKNOWN, problem)


def judged(answer: Answer, source: str, grace: timedelta, now: datetime) -> Standing:
    """How a certificate stands after an answer.

    Good counts until the answer ends, and as long after that as the configuration allows, which is then said. A
    revocation does not grow old: an answer that has ended still keeps a revoked certificate out.
    """
    if answer.status is Status.REVOKED:
        return Standing(Status.REVOKED, answer.reason, answer.since)
    if answer.status is not Status.GOOD or answer.until is None:
        return Standing(Status.UNKNOWN, f"{source}: {answer.reason}")
    if now <= answer.until:
        return Standing(Status.GOOD)
    ended = f"{source}: ended at {answer.until:%Y-%m-%dT%H:%M:%SZ}"
    if now <= answer.until + grace:
        return Standing(Status.GOOD, grace=f"{ended}, counts until {answer.until + grace:%Y-%m-%dT%H:%M:%SZ}")
    return Standing(Status.UNKNOWN, ended)
