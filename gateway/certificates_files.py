"""Where the certificate files of an installation lie. Imports next to nothing, as the server must before it forks."""

from __future__ import annotations

from certs.layout import Files
from gateway.settings import Settings


def pki_files(settings: Settings) -> Files:
    """Where the certificate files of an installation lie."""
    return Files(settings.home / "pki")
