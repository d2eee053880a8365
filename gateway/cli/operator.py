"""Who acts when a verb is typed: the operator of the machine, or the person whose certificate was shown."""

from __future__ import annotations

import getpass
from contextvars import ContextVar

from certs.verify import Identity
from gateway.access.deciding import Actor, actor_of
from gateway.access.duties import Act, demand

_SIGNED_IN: ContextVar[Identity | None] = ContextVar("person", default=None)


def operator() -> str:
    """Who acts, as the log names him: a person's URN, else who sits at the keyboard for the operating system."""
    signed_in = person()
    return signed_in.urn if signed_in else f"cli:{getpass.getuser()}"


def person() -> Identity | None:
    """The person who signed in for this verb; None for the operator of the machine."""
    return _SIGNED_IN.get()


def sign_in(identity: Identity | None) -> None:
    """Make a verified person, or nobody, the one who acts in this process from now on."""
    _SIGNED_IN.set(identity)


def acting() -> Actor:
    """Who acts, as applications and grants ask it."""
    signed_in = person()
    return actor_of(signed_in) if signed_in else Actor(operator(), is_operator=True)


def own_agency() -> str | None:
    """The agency to which a listing is confined: an agency administrator sees no other's."""
    signed_in = person()
    return signed_in.agency or None if signed_in else None


def demand_own(act: Act, source: str) -> None:
    """Refuse an agency administrator who acts on another agency's source.

    Raises:
        WrongDuty: the source is not of his agency.
    """
    if (signed_in := person()) is not None:
        demand(signed_in, act, source.partition("/")[0])
