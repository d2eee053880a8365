"""What went wrong on the way, said once: which source, which endpoint, and what to do next."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

from connectors.errors import Refused, Unavailable, XinqiaoError

_ALERTS = ("ALERT_", "CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED", "BAD_CERT")


MAX_ANSWER_BYTES = 256 * 1024 * 1024
"""Largest answer to one request, unpacked: a few megabytes of gzip unpack to gigabytes; pages are far smaller."""


def unavailable(where: str, zh: str, en: str, **details: object) -> Unavailable:
    """The endpoint could not be reached or answered brokenly; the run will be repeated."""
    return Unavailable(f"{where}：{zh}将自动重试。", f"{where}: {en} It will be tried again.", where=where, **details)


def refused(where: str, zh: str, en: str, **details: object) -> Refused:
    """A person must act before the request can succeed."""
    return Refused(
        f"{where}：{zh}需人工处理，不会自动重试。",
        f"{where}: {en} A person must act; it is not tried again.",
        where=where,
        **details,
    )


def connection_trouble(where: str, error: BaseException) -> XinqiaoError:
    """What a failed connection means: a certificate that is not trusted needs a person, everything else time."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return refused(
                where,
                f"对方服务器证书未通过验证（{cause.verify_message}）。",
                f"the server's certificate is not trusted ({cause.verify_message}).",
                certificate=str(cause.verify_message),
            )
        if isinstance(cause, ssl.SSLError) and any(word in (cause.reason or "") for word in _ALERTS):
            return refused(
                where,
                f"对方拒绝了我方证书（{cause.reason}）。",
                f"the server refused our certificate ({cause.reason}).",
                certificate=cause.reason,
            )
    return unavailable(
        where,
        f"无法连接或应答中断（{type(error).__name__}）。",
        f"cannot be reached or broke off its answer ({type(error).__name__}).",
        error=type(error).__name__,
    )


def status_trouble(where: str, status: int) -> XinqiaoError:
    """What an HTTP status that is not 200 means."""
    if status in (408, 425, 429) or status >= 500:
        return unavailable(where, f"应答状态 {status}。", f"answered with status {status}.", status=status)
    return refused(where, f"应答状态 {status}。", f"answered with status {status}.", status=status)


def answer_too_large(where: str, limit: int) -> XinqiaoError:
    """An answer that would fill the memory."""
    return refused(
        where,
        f"应答超过 {limit} 字节，已中断。",
        f"the answer is larger than {limit} bytes; it was broken off.",
        limit=limit,
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and everything it was raised from or wraps in its arguments (urllib3 and requests do that)."""
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        linked = (current.__cause__, current.__context__, getattr(current, "reason", None), *current.args)
        waiting.extend(item for item in linked if isinstance(item, BaseException))
