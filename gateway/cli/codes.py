"""Codes that are typed at the command line."""

from __future__ import annotations

from connectors.errors import Refused
from schemas.identifiers import uscc as uscc_rules


def checked_uscc(text: str) -> str:
    """The canonical form of a unified social credit code.

    Raises:
        Refused: it is none; says why.
    """
    code = uscc_rules.normalize(text)
    if faults := uscc_rules.validate(code):
        raise Refused(faults[0].zh, faults[0].en, rules=[fault.rule for fault in faults])
    return code
