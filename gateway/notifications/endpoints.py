"""Where systems are called: ``notifications.yml`` in the home, written by the operator.

Each endpoint is bound to the certificate that it must present; another one, of whatever authority, is not spoken to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from certs.names import SystemName, parse_uri
from connectors.errors import Refused
from connectors.yaml_file import read_yaml

FILE = "notifications.yml"
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_MEMBERS = frozenset({"url", "certificate_sha256", "ca"})


@dataclass(frozen=True)
class Endpoint:
    """Where one system takes notifications.

    Attributes:
        urn: of the system.
        url: HTTPS.
        fingerprint: SHA-256 of the certificate it must present, hex.
        ca: PEM of the authorities its certificate leads to; None for our own trust file.
    """

    urn: str
    url: str
    fingerprint: str
    ca: Path | None = None


def load_endpoints(home: Path) -> Mapping[str, Endpoint]:
    """URN -> endpoint; empty without a file.

    Raises:
        Refused: the file is not of the form of docs/operations/challenges.md; says which system and member.
    """
    path = home / FILE
    if not path.exists():
        return {}
    stored = read_yaml(path)
    if not isinstance(stored, dict) or set(stored) != {"systems"} or not isinstance(stored["systems"] or {}, dict):
        raise _wrong(path, "systems", "应有且只有 systems", "expected `systems` and nothing else")
    return {urn: _endpoint(path, home, urn, said) for urn, said in (stored["systems"] or {}).items()}


def _endpoint(path: Path, home: Path, urn: str, said: object) -> Endpoint:
    try:
        is_system = isinstance(parse_uri(urn), SystemName)
    except ValueError:
        is_system = False
    if not is_system:
        raise _wrong(path, urn, "不是系统 URN", "is not the URN of a system")
    if not isinstance(said, dict) or not {"url", "certificate_sha256"} <= set(said) <= _MEMBERS:
        raise _wrong(path, urn, "应有 url、certificate_sha256，可有 ca", "takes url, certificate_sha256 and perhaps ca")
    url, fingerprint = str(said["url"]), str(said["certificate_sha256"]).replace(":", "").lower()
    if urlsplit(url).scheme != "https" or not urlsplit(url).hostname:
        raise _wrong(path, urn, f"url 应为 https 地址：{url}", f"url must be an https address, got {url}")
    if not _FINGERPRINT.fullmatch(fingerprint):
        raise _wrong(path, urn, "certificate_sha256 应为 64 位十六进制", "certificate_sha256 must be 64 hex digits")
    return Endpoint(urn, url, fingerprint, home / str(said["ca"]) if "ca" in said else None)


def _wrong(path: Path, where: str, zh: str, en: str) -> Refused:
    return Refused(f"{path}：{where} {zh}", f"{path}: {where} {en}", file=str(path), system=where)
