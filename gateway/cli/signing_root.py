"""Whose signature of the gateway the command line believes: ``--ca FILE``, or the root of this installation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from cryptography import x509

from certs.errors import CertsError
from certs.signed.proof import Verified
from connectors.errors import Refused
from gateway.audit.merkle import ProofError
from gateway.certificates_files import pki_files
from gateway.settings import Settings
from gateway.signatures.own import MEMBER, verify_document

ca_option = click.option(
    "--ca",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="信任的根证书 / root certificate whose gateway is believed; default: that of this installation",
)


def root_of(settings: Settings, ca: Path | None) -> x509.Certificate | None:
    """The root to trust; None if there is none.

    Raises:
        Refused: the file holds no certificate.
    """
    path = ca or pki_files(settings).root
    if not path.exists():
        return None
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except ValueError as error:
        raise Refused(f"{path} 不是证书：{error}", f"{path} is no certificate: {error}", path=str(path)) from error


def signer_of(document: Mapping[str, Any], settings: Settings, ca: Path | None) -> Verified | None:
    """Who signed a document; None if it carries no signature, or no root was given and there is none here.

    Raises:
        ProofError: the signature does not hold, or ``--ca`` was given and there is none.
    """
    root = root_of(settings, ca)
    if root is None or (MEMBER not in document and ca is None):
        return None
    try:
        return verify_document(document, root)
    except CertsError as error:
        raise ProofError(str(error)) from error
