"""Where authorities keep their files: the one at the gateway, and the root that lies in a safe."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Files:
    """Where an authority keeps its files, below one folder.

    ``offline/`` is needed only to make a new issuing authority: copy it to a safe and delete it here.
    """

    home: Path

    @property
    def root_key(self) -> Path:
        """Private key of the root; take it away."""
        return self.home / "offline" / "root.key"

    @property
    def root(self) -> Path:
        """Certificate of the root, PEM; what clients trust."""
        return self.home / "root.pem"

    @property
    def root_crl(self) -> Path:
        """Revocation list of the root over issuing authorities, PEM."""
        return self.home / "root.crl.pem"

    @property
    def issuing_key(self) -> Path:
        """Private key of the issuing authority; instead of it ``issuing.uri`` may name a token."""
        return self.home / "issuing.key"

    @property
    def issuing(self) -> Path:
        """Certificate of the issuing authority, PEM."""
        return self.home / "issuing.pem"

    @property
    def csr(self) -> Path:
        """Request of an issuing authority that the root has not signed yet; only below ``next``."""
        return self.home / "issuing.csr"

    @property
    def responder(self) -> Path:
        """Certificate of the OCSP responder, PEM; without it the issuing authority answers itself."""
        return self.home / "ocsp.pem"

    @property
    def responder_key(self) -> Path:
        """Private key of the OCSP responder."""
        return self.home / "ocsp.key"

    @property
    def previous(self) -> list[Files]:
        """The files of issuing authorities that were replaced and whose certificates still count."""
        return [Files(folder) for folder in sorted((self.home / "previous").glob("*/"))]

    @property
    def trust(self) -> Path:
        """All authorities whose certificates are believed, PEM."""
        return self.home / "trust.pem"

    @property
    def crl(self) -> Path:
        """Revocation list of the issuing authority, PEM; the DER lies beside it as ``issuing.crl``."""
        return self.home / "issuing.crl.pem"

    @property
    def gateway(self) -> Path:
        """Certificate of the gateway's own server followed by the issuing authority's, PEM."""
        return self.home / "gateway.pem"

    @property
    def gateway_key(self) -> Path:
        """Private key of the gateway's own server."""
        return self.home / "gateway.key"


@dataclass(frozen=True)
class Root:
    """The folder of a root, complete in itself; it lies in a safe and comes out for ceremonies only."""

    folder: Path

    @property
    def key(self) -> Path:
        """Private key, or ``root.uri`` beside it that names a token."""
        return self.folder / "root.key"

    @property
    def certificate(self) -> Path:
        """Self-signed certificate, PEM."""
        return self.folder / "root.pem"

    @property
    def crl(self) -> Path:
        """Newest revocation list over issuing authorities, PEM."""
        return self.folder / "root.crl.pem"

    @property
    def signed(self) -> Path:
        """Folder with every authority that the root has signed, by key identifier."""
        return self.folder / "signed"
