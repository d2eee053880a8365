"""``xinqiao audit verify-signature``: the gateway's signature on a grant, a receipt or an export, offline."""

from __future__ import annotations

from pathlib import Path

import click

from certs.errors import CertsError
from certs.signed.proof import Verified
from connectors.errors import Refused
from gateway.audit.merkle import ProofError
from gateway.cli.audit_proofs import FILE, checked, read_document
from gateway.cli.output import json_option, print_json
from gateway.cli.signing_root import ca_option, root_of
from gateway.settings import Settings
from gateway.signatures.own import verify_document, verify_export


@click.command("verify-signature")
@click.argument("file", type=FILE)
@click.option("--signature", type=FILE, help="导出文件的分离签名 / of an export; without it FILE is JSON")
@ca_option
@json_option
@click.pass_obj
def verify_signature(settings: Settings, file: Path, signature: Path | None, ca: Path | None, as_json: bool) -> None:
    """Verify the gateway's signature on FILE offline: a JSON document that carries it, or an export. 离线校验签名。"""
    root = root_of(settings, ca)
    if root is None:
        raise Refused("没有可信任的根证书；请用 --ca 指定。", "there is no root to trust; give one with --ca")

    def check() -> Verified:
        try:
            if signature is None:
                return verify_document(read_document(file), root)
            return verify_export(signature.read_text("ascii", "replace"), file.read_bytes(), root)
        except CertsError as error:
            raise ProofError(str(error)) from error

    proven = checked(check, "签名无效", "the signature is not proven", as_json)
    said = {"key_id": proven.signer.key_id, "algorithm": proven.algorithm.name}
    if as_json:
        print_json({"ok": True, **said})
    else:
        click.echo(f"签名有效 / signed by the gateway: {said['key_id']} ({said['algorithm']})")
