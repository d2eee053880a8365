"""An HTTP client for gateways: mutual TLS, no proxy or certificate store of the machine in between."""

from __future__ import annotations

import ssl
from pathlib import Path

import httpx


def client(
    url: str,
    ca: Path,
    certificate: Path | None = None,
    key: Path | None = None,
    timeout: float = 30.0,
) -> httpx.Client:
    """Open a client for one gateway.

    Args:
        url: base address, ``https://host:port``.
        ca: PEM of the authorities the gateway's certificate must lead to; the only ones believed.
        certificate: PEM of the own certificate with its issuer's; None for public pages.
        key: PEM of its private key.
        timeout: seconds for each of connecting, reading and writing.
    """
    return httpx.Client(base_url=url, verify=client_context(ca, certificate, key), timeout=timeout, trust_env=False)


def client_context(ca: Path, certificate: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
    """The TLS side of ``client``: TLS 1.2 or newer, host name checked."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cafile=ca)
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    return context
