"""Who may use which verb, and the check before each of them.

Until the duties are separated the operator of the machine may use every verb. Afterwards a verb takes the
certificate of a person whose duty may do its act, and proof that the person has its key. A verb that is not
in the table is then open to nobody, so that a new one cannot be forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

from certs.verify import Identity
from gateway.access.duties import Act, demand
from gateway.access.errors import WrongDuty
from gateway.access.separation import is_separated
from gateway.cli.operator import sign_in
from gateway.cli.signing_in import prove_person
from gateway.home import open_home
from gateway.keyring import ring_path
from gateway.settings import Settings

ANYBODY = (
    "audit verify",
    "audit verify-receipt",
    "audit verify-signature",
    "audit verify-consistency",
    "audit verify-log",
    "audit verify-export",
    "audit consistency",
    "audit checkpoint",
    "duties list",
    "certs crl",
    "notifications dispatch",
)
"""Guarded verbs that take no duty: a proof shows no entry that the one who asks does not have already, and what a
clock starts (the next revocation list, what is due to be pushed) decides nothing and shows nothing at the keyboard.
A person's key in a crontab would be the worse thing."""

ACTS = {
    "run": Act.OPERATE,
    "replay": Act.OPERATE,
    "deliver": Act.DELIVER,
    "deliveries": Act.SEE_DELIVERIES,
    "quarantine": Act.QUARANTINE,
    "erase": Act.ERASE,
    "erase request": Act.ASK_ERASURE,
    "erase list": Act.SEE_ERASURES,
    "feed": Act.READ_RECORDS,
    "keys": Act.CERTIFY,
    "ca": Act.CERTIFY,
    "ca list": Act.SEE_CERTIFICATES,
    "signing-keys": Act.CERTIFY,
    "signing-keys list": Act.SEE_CERTIFICATES,
    "challenges": Act.DECIDE_CHALLENGE,
    "challenges list": Act.SEE_CHALLENGES,
    "notifications": Act.OPERATE,
    "notifications enrol": Act.CERTIFY,
    "certs": Act.CERTIFY,
    "certs request": Act.REQUEST_CERTIFICATE,
    "certs withdraw": Act.REQUEST_CERTIFICATE,
    "certs requests": Act.SEE_CERTIFICATES,
    "certs expiries": Act.SEE_CERTIFICATES,
    "certs register": Act.REGISTER,
    "certs holders": Act.SEE_CERTIFICATES,
    "certs external": Act.SEE_CERTIFICATES,
    "certs list": Act.SEE_CERTIFICATES,
    "certs show": Act.SEE_CERTIFICATES,
    "grants list": Act.SEE_GRANTS,
    "grants applications": Act.SEE_GRANTS,
    "grants overdue": Act.SEE_GRANTS,
    "grants apply": Act.APPLY,
    "grants approve": Act.DECIDE,
    "grants refuse": Act.DECIDE,
    "grants withdraw": Act.WITHDRAW,
    "grants quota": Act.SET_QUOTA,
    "grants quotas": Act.SEE_GRANTS,
    "audit": Act.READ_LOG,
    "audit hold": Act.HOLD_LOG,
    "audit release": Act.HOLD_LOG,
    "audit retention": Act.HOLD_LOG,
    "duties register": Act.REGISTER,
    "duties reopen": Act.REOPEN,
}
"""Verb, or group for all its verbs that are not named, -> the act it is. ``grants give`` and ``duties separate``
are the operator's alone and end with the separation."""


@dataclass(frozen=True)
class Shown:
    """The certificate a person shows at the command line.

    Attributes:
        certificate: PEM file.
        key: PEM file of its key.
        passphrase: of the key; empty if it has none.
    """

    certificate: Path | None = None
    key: Path | None = None
    passphrase: str = ""


def act_of(path: str) -> Act | None:
    """The act of a verb such as ``grants approve``; None if it takes no duty.

    Raises:
        KeyError: nobody may once the duties are separated.
    """
    group = path.partition(" ")[0]
    if path in ACTS:
        return ACTS[path]
    if path in ANYBODY:
        return None
    return ACTS[group]


def guard(command: click.Command, path: str, shown: Callable[[], Shown]) -> None:
    """Put the check before a verb and every verb below it; once, however often the verb is loaded."""
    for leaf, leaf_path in _leaves(command, path):
        if leaf.callback is not None and not hasattr(leaf.callback, "xinqiao_guarded"):
            leaf.callback = _guarded(leaf.callback, leaf_path, shown)


def leaves(command: click.Command, path: str) -> list[str]:
    """The paths of a verb and every verb below it."""
    return [leaf_path for _, leaf_path in _leaves(command, path)]


def _leaves(command: click.Command, path: str) -> Iterator[tuple[click.Command, str]]:
    if not isinstance(command, click.Group):
        yield command, path
        return
    for name, below in command.commands.items():
        yield from _leaves(below, f"{path} {name}")


def _guarded(callback: Callable[..., Any], path: str, shown: Callable[[], Shown]) -> Callable[..., Any]:
    @wraps(callback)
    def checked(*args: Any, **kwargs: Any) -> Any:
        settings = click.get_current_context().find_object(Settings)
        sign_in(permit(settings, path, shown()) if settings else None)
        return callback(*args, **kwargs)

    checked.xinqiao_guarded = True  # type: ignore[attr-defined]  # a mark on a function
    return checked


def permit(settings: Settings, path: str, shown: Shown) -> Identity | None:
    """Say who acts, or refuse.

    Returns:
        the person; None for the operator of the machine.

    Raises:
        WrongDuty: the duties are separated and nobody signed in, or the verb is none for this duty.
        certs.errors.CertsError: the certificate or its key do not hold.
    """
    if not ring_path(settings.home).exists():
        return None
    with open_home(settings) as store, store.read() as conn:
        separated = is_separated(conn)
        person = prove_person(conn, settings, shown.certificate, shown.key, shown.passphrase)
    try:
        act = act_of(path)
    except KeyError:
        if separated or person is not None:
            raise _closed(path) from None
        return None
    if act is None:
        return person
    if person is not None:
        return demand(person, act)
    if separated:
        raise _unsigned(act)
    return None


def _closed(path: str) -> WrongDuty:
    return WrongDuty(
        f"三员分立后不再使用 xinqiao {path}；授权请走申请与审批（xinqiao grants apply）。",
        f"With the duties separated nobody uses `xinqiao {path}`; grants are applied for (xinqiao grants apply).",
    )


def _unsigned(act: Act) -> WrongDuty:
    if not act.duties:
        return WrongDuty(
            f"三员分立后，任何人不得在本机“{act.zh}”；系统凭证书和授权通过 HTTP 读取。",
            f"With the duties separated nobody may {act.en} on this machine; systems do, by HTTP and with a grant.",
        )
    return WrongDuty(
        f"三员职责已经分立，“{act.zh}”须出示人员证书：xinqiao --certificate 证书 --key 私钥 …",
        f"The duties are separated; to {act.en} show a person's certificate: xinqiao --certificate FILE --key FILE …",
        needs=list(act.duties),
    )
