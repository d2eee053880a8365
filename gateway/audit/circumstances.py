"""What is so about a whole request and belongs into every entry that it writes, whichever use case writes it.

Kept beside the use cases and not passed through them, so that none of them can forget it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar

_noted: ContextVar[Mapping[str, str]] = ContextVar("xinqiao_audit_circumstances")


def note(circumstances: Mapping[str, str]) -> None:
    """From now on, in this request, every entry says so too; replaces what was noted before.

    Args:
        circumstances: facts as ``gateway.audit.append`` takes them; empty ends it.
    """
    _noted.set(dict(circumstances))


def noted() -> Mapping[str, str]:
    """What the entries of this request say besides their own facts."""
    return _noted.get({})
