"""``xinqiao signing-keys``: keys that systems sign deliveries with and that no TLS certificate shows: SM2, Ed25519."""

from __future__ import annotations

from pathlib import Path

import click

from certs.names import SystemName, parse_uri
from certs.revocation import HOLD, REASONS
from connectors.errors import Refused
from gateway.cli.operator import operator
from gateway.cli.output import json_option, print_rows
from gateway.clock import utc_now
from gateway.home import open_home
from gateway.settings import Settings
from gateway.signatures.keys import key_rows, register_key, revoke_key

_REASONS = sorted(set(REASONS) - {HOLD})
_COLUMNS = (
    ("id", "密钥 key id"),
    ("urn", "系统 system"),
    ("algorithm", "算法 algorithm"),
    ("not_after", "有效至 until"),
    ("status", "状态 status"),
)


@click.group("signing-keys")
def signing_keys() -> None:
    """签名密钥：登记、列出、吊销 / signing keys of systems: register, list, revoke."""


@signing_keys.command("register")
@click.argument("urn")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_obj
def register(settings: Settings, urn: str, file: Path) -> None:
    """Believe the key in FILE (a public key or a certificate, PEM) to be the system URN's. 登记签名密钥。"""
    try:
        name = parse_uri(urn)
    except ValueError as error:
        raise Refused(f"系统标识 {urn!r} 不正确：{error}。", f"{urn!r} is no system: {error}", urn=urn) from error
    if not isinstance(name, SystemName):
        raise Refused(f"{urn} 不是系统。", f"{urn} is not a system", urn=urn)
    with open_home(settings) as store, store.write() as conn:
        key_id = register_key(conn, name, file.read_bytes(), operator(), utc_now())
    click.echo(f"keyid: {key_id}")


@signing_keys.command("list")
@json_option
@click.pass_obj
def list_keys(settings: Settings, as_json: bool) -> None:
    """List registered signing keys. 列出签名密钥。"""
    with open_home(settings) as store, store.read() as conn:
        rows = [dict(row) for row in key_rows(conn)]
    print_rows(rows, _COLUMNS, as_json)


@signing_keys.command("revoke")
@click.argument("key_id")
@click.option(
    "--reason", type=click.Choice(sorted(set(REASONS) - {HOLD})), required=True, help="原因 / RFC 5280 reason"
)
@click.pass_obj
def revoke(settings: Settings, key_id: str, reason: str) -> None:
    """Believe the registered key KEY_ID no longer, from the next signature on. 吊销签名密钥。"""
    with open_home(settings) as store, store.write() as conn:
        revoke_key(conn, key_id, reason, operator(), utc_now())
