"""Errors of talking to agencies, named by what happens next.

A transport translates foreign exceptions into these once, always ``from`` the original;
they are rendered once, in ``gateway/api/problems.py``, the command line and the DAG task.
"""

from __future__ import annotations

import copyreg
from typing import Any


class XinqiaoError(Exception):
    """Root of every error of ours.

    Attributes:
        code: stable code shown in problem documents and receipts.
        zh: one sentence in 简体中文: what, where, which value, what to do next.
        en: the same in English.
        details: machine-readable facts (source, part, column, expected, got ...).
    """

    code = "error"

    def __init__(self, zh: str, en: str, **details: object) -> None:
        super().__init__(f"{zh} / {en}")
        self.zh, self.en, self.details = zh, en, details

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors travel whole between processes; the two sentences cannot be told from ``args`` again."""
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]  # typeshed leaves it out


class Unavailable(XinqiaoError):
    """Could not be reached or answered brokenly; the same request may succeed later. The only error that is retried."""

    code = "unavailable"


class Refused(XinqiaoError):
    """The other side, or our own rule, said no; a person must act before it can succeed."""

    code = "refused"


class SignatureRefused(XinqiaoError):
    """A signature was presented and does not hold. The bytes are kept.

    Attributes:
        code: what does not hold: ``signature_invalid``, ``signature_key_refused`` or ``signature_stale``.
    """

    code = "signature_invalid"

    def __init__(self, zh: str, en: str, *, code: str = "", **details: object) -> None:
        super().__init__(zh, en, **details)
        self.code = code or self.code


class SignatureMissing(SignatureRefused):
    """The source demands a signature and there is none. The bytes are kept."""

    code = "signature_missing"


class SignatureReplayed(SignatureRefused):
    """This very signature was used before. The bytes are kept."""

    code = "signature_replayed"


class Undecodable(XinqiaoError):
    """The bytes are not what they were declared to be. They are kept; the agency is told."""

    code = "undecodable"


class SourceChanged(XinqiaoError):
    """The source has another shape than declared; nothing is landed.

    ``details`` carries ``missing`` and ``unexpected`` (lists of headings).
    """

    code = "source_changed"


class ExpectationFailed(XinqiaoError):
    """The delivery is not as large or as clean as the source promises; nothing is landed."""

    code = "expectation_failed"
