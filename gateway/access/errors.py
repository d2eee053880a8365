"""The errors of access. What a face makes of them is decided in ``gateway/api/problems.py``."""

from __future__ import annotations

from connectors.errors import Refused, XinqiaoError


class NotGranted(Refused):
    """No grant allows this read; ``code`` says which condition failed.

    Codes: ``grant_none``, ``grant_not_yet``, ``grant_expired``, ``grant_withdrawn``,
    ``grant_other_purpose``, ``purpose_missing``.
    """

    def __init__(self, code: str, zh: str, en: str, **details: object) -> None:
        super().__init__(zh, en, **details)
        self.code = code


class NotYours(Refused):
    """The thing exists, and belongs to another agency."""

    code = "not_yours"


class WrongDuty(NotYours):
    """The act belongs to another duty than the caller's: see ``gateway/access/duties.py``."""

    code = "wrong_duty"


class QuotaExceeded(Refused):
    """The system has used up what it may in this time; ``details["retry_after_s"]`` says when to come back.

    Attributes:
        is_first: whether the log has not been told in this period; one entry says it, not one per request.
    """

    code = "quota_exceeded"

    def __init__(self, zh: str, en: str, is_first: bool, **details: object) -> None:
        super().__init__(zh, en, **details)
        self.is_first = is_first


class Busy(Refused):
    """The system holds all places of this process but one, and other systems want that one."""

    code = "busy"

    def __init__(self) -> None:
        super().__init__(
            "贵系统同时进行的请求过多，须为其他系统留出余量；请稍候重试。",
            "Your system has too many requests under way at once; room is kept for other systems. Try again shortly.",
            retry_after_s=1,
        )


class NotFound(XinqiaoError):
    """There is no such thing, or it cannot be told from there being none."""

    code = "not_found"


class Invalid(XinqiaoError):
    """The request contradicts the contract of this face; ``details["problems"]`` says where."""

    code = "invalid"


class Conflict(Refused):
    """The thing is no longer in the state in which this could be done to it."""

    code = "conflict"
