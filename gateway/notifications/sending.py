"""One push over mutual TLS to a pinned certificate, the body signed (RFC 9421, RFC 9530)."""

from __future__ import annotations

import hashlib
import secrets
import ssl
from datetime import datetime
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from certs.signed.http import REQUIRED, digest_field, sign
from connectors.errors import Unavailable
from gateway.client import client_context
from gateway.notifications.endpoints import Endpoint
from gateway.notifications.notifier import Notifier

ID_HEADER = "Xinqiao-Notification"
"""Carries the notification's id, so that a receiver can tell a repetition without reading the body."""

TIMEOUT_S = (5.0, 20.0)
"""For connecting, and for each wait for the answer."""


def push(endpoint: Endpoint, notifier: Notifier, trust: Path, notification_id: str, body: bytes, now: datetime) -> None:
    """Deliver one notification; an answer of 2xx means that it was taken.

    Args:
        trust: PEM of our own authorities, for endpoints without one of their own.

    Raises:
        Unavailable: not reached, another certificate, or another answer; nothing was told to whom it is not for.
    """
    request = requests.Request(
        "POST",
        endpoint.url,
        data=body,
        headers={
            "Content-Type": "application/json",
            "Content-Digest": digest_field("sha-256", hashlib.sha256(body).digest()),
            ID_HEADER: notification_id,
        },
    ).prepare()
    sign(request, notifier.key, notifier.key_id, REQUIRED, now, nonce=secrets.token_urlsafe(16))
    context = client_context(endpoint.ca or trust)
    context.load_cert_chain(notifier.certificate, notifier.key_file, notifier.passphrase)
    with requests.Session() as session:
        # Neither a proxy nor an authority of the machine's environment comes in between.
        session.trust_env = False
        session.mount("https://", _Pinned(context, endpoint.fingerprint))
        try:
            answer = session.send(request, timeout=TIMEOUT_S, allow_redirects=False, stream=True)
        except requests.RequestException as error:
            raise _failed(endpoint, type(error).__name__, str(error)) from error
        if not 200 <= answer.status_code < 300:
            raise _failed(endpoint, str(answer.status_code), f"answered {answer.status_code}")


def _failed(endpoint: Endpoint, zh: str, en: str) -> Unavailable:
    return Unavailable(
        f"未能推送到 {endpoint.url}：{zh}", f"could not push to {endpoint.url}: {en[:300]}", system=endpoint.urn
    )


class _Pinned(HTTPAdapter):
    """Speaks only to the one certificate; it is compared before a byte of the request is sent."""

    def __init__(self, context: ssl.SSLContext, fingerprint: str) -> None:
        self._context, self._fingerprint = context, fingerprint
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """As the library's, with our TLS side and the pin."""
        super().init_poolmanager(*args, ssl_context=self._context, assert_fingerprint=self._fingerprint, **options)

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Decided by the context and the pin; the library would believe the machine's authorities."""
