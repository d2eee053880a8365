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


class NotFound(XinqiaoError):
    """There is no such thing, or it cannot be told from there being none."""

    code = "not_found"


class Invalid(XinqiaoError):
    """The request contradicts the contract of this face; ``details["problems"]`` says where."""

    code = "invalid"


class Conflict(Refused):
    """The thing is no longer in the state in which this could be done to it."""

    code = "conflict"
