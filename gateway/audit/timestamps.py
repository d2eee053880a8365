"""Having checkpoints stamped by a time-stamping authority (RFC 3161), and publishing the stamps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import httpx
from rfc3161_client import TimestampRequestBuilder

from certs.keys import write_whole
from connectors.errors import Refused, Unavailable
from gateway.audit.files import log_folder
from gateway.audit.log import current_checkpoint
from gateway.audit.merkle import ProofError
from gateway.audit.notes import Checkpoint
from gateway.audit.stamping import TOKEN_FILE, verify_stamp
from gateway.settings import Settings
from gateway.store import Store

EVERY = timedelta(hours=1)
"""How often a running gateway has its log stamped, if there is anything new."""

_TIMEOUT_S = 10.0
_MOST_BYTES = 256 * 1024


@dataclass(frozen=True)
class Stamped:
    """A time-stamp over a checkpoint.

    Attributes:
        size: of the checkpoint.
        at: the authority's time, UTC.
        token: the answer of the authority, DER.
    """

    size: int
    at: datetime
    token: bytes


def roots_path(settings: Settings) -> Path:
    """The authorities whose time-stamps are believed, PEM."""
    return settings.home / "tsa.pem"


def stamp(store: Store) -> Stamped | None:
    """Have the newest checkpoint stamped, verify what came, and publish it beside the log.

    Returns:
        None before the first seal.

    Raises:
        Refused: ``tsa_url`` is not set, or there are no roots to verify its answer with.
        Unavailable: the authority does not answer, or not with a good time-stamp of this checkpoint.
    """
    settings = store.settings
    if not settings.tsa_url or not roots_path(settings).exists():
        raise Refused(
            f"请设置 XINQIAO_TSA_URL，并将其根证书放入 {roots_path(settings)}",
            f"set XINQIAO_TSA_URL and put its root certificate into {roots_path(settings)}",
        )
    checkpoint = current_checkpoint(store)
    if checkpoint is None:
        return None
    stamped = _asked(settings, checkpoint)
    folder = log_folder(settings)
    # Every stamp is kept; the newest one lies beside the log for whoever verifies it.
    for place in (folder / "timestamps" / f"{checkpoint.size:012d}", folder / "timestamp"):
        write_whole(place.with_suffix(".checkpoint"), checkpoint.note.encode())
        write_whole(place.with_suffix(".tsr"), stamped.token)
    return stamped


def _asked(settings: Settings, checkpoint: Checkpoint) -> Stamped:
    request = TimestampRequestBuilder(data=checkpoint.note.encode()).build()
    headers = {"Content-Type": "application/timestamp-query"}
    try:
        with (
            httpx.Client(timeout=_TIMEOUT_S, trust_env=False) as client,
            client.stream("POST", settings.tsa_url, content=request.as_bytes(), headers=headers) as answer,
        ):
            answer.raise_for_status()
            token = _bounded(answer)
        at = verify_stamp(checkpoint.note, token, roots_path(settings).read_bytes(), request.nonce)
    except (httpx.HTTPError, ProofError) as error:
        raise Unavailable(
            f"时间戳服务未给出有效时间戳：{error}", f"the time-stamping authority gave no good time-stamp: {error}"
        ) from error
    return Stamped(checkpoint.size, at, token)


def _bounded(answer: httpx.Response) -> bytes:
    content = b""
    for piece in answer.iter_bytes():
        content += piece
        if len(content) > _MOST_BYTES:
            raise ProofError(f"an answer of more than {_MOST_BYTES} bytes")
    return content


def is_due(store: Store, now: datetime) -> bool:
    """Whether a running gateway should have its log stamped now."""
    if not store.settings.tsa_url or not roots_path(store.settings).exists():
        return False
    try:
        stamped = (log_folder(store.settings) / TOKEN_FILE).stat().st_mtime
    except FileNotFoundError:
        return True
    return now.timestamp() - stamped >= EVERY.total_seconds()
