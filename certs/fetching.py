"""Fetching what other authorities publish: bounded in time and size, and from no address but the configured one."""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

from certs.errors import Unanswered

SILENCE_SECONDS = 3.0
WHOLE_SECONDS = 10.0
# A list of half a million certificates; an OCSP answer is a thousandth of that.
MAX_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True)
class Address:
    """Where something is fetched.

    Attributes:
        url: http or https.
        ca: PEM of who vouches for an https server; None means the system's authorities.
    """

    url: str
    ca: Path | None = None


def fetch(address: Address, question: bytes | None = None, content_type: str = "") -> bytes:
    """Ask an address once: GET, or POST if there is a question.

    Redirections are not followed and proxies of the environment are not used: no address is asked that the
    configuration does not name. What is fetched is signed, so that plain http gives nothing away but the asking.

    Raises:
        Unanswered: no answer within ``WHOLE_SECONDS``, one over ``MAX_BYTES``, or one other than 200.
    """
    try:
        with httpx.Client(
            verify=_context(address), trust_env=False, follow_redirects=False, timeout=SILENCE_SECONDS
        ) as client:
            headers = {"Content-Type": content_type} if question is not None else {}
            method = "GET" if question is None else "POST"
            with client.stream(method, address.url, content=question, headers=headers) as response:
                if response.status_code != httpx.codes.OK:
                    raise _unanswered(address, f"HTTP {response.status_code}")
                return _read(response, address)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        raise _unanswered(address, str(error) or type(error).__name__) from error


def _read(response: httpx.Response, address: Address) -> bytes:
    deadline = time.monotonic() + WHOLE_SECONDS
    pieces, size = [], 0
    for piece in response.iter_raw():
        size += len(piece)
        if size > MAX_BYTES:
            raise _unanswered(address, f"more than {MAX_BYTES} bytes")
        if time.monotonic() > deadline:
            raise _unanswered(address, f"not whole within {WHOLE_SECONDS:g} s")
        pieces.append(piece)
    return b"".join(pieces)


def _context(address: Address) -> ssl.SSLContext | bool:
    """Authorities are read only where they are needed: loading the system's costs tens of milliseconds."""
    if not address.url.startswith("https:"):
        return False
    return ssl.create_default_context(cafile=address.ca)


def _unanswered(address: Address, problem: str) -> Unanswered:
    return Unanswered(
        f"{address.url} 未给出可用的应答：{problem}；请检查地址与网络。",
        f"{address.url} gave no usable answer: {problem}; look at the address and the network",
        url=address.url,
        problem=problem,
    )
