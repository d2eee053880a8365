"""Words agencies write where they have no value. A placeholder is an absent value, not a wrong one."""

from __future__ import annotations

import re
import unicodedata

PLACEHOLDERS: frozenset[str] = frozenset(
    {
        "", "-", "--", "---", "----", "—", "——", "/", "\\", "\\N", "NAN", "NONE", "NULL", "NA", "N/A", "<NA>",
        "无", "暂无", "不详", "未知", "空", "未发现不合格项目",
    }
)  # fmt: skip
"""Canonical spellings (NFKC, trimmed, upper case), as counted in real deliveries of companies and samples."""

_QUOTES = "\"'“”‘’「」"
_RUN_OF_DASHES = re.compile("^[-\u2010\u2011\u2012\u2013\u2014\u2015\u2500\u2212]+$")


def is_placeholder(text: str | None) -> bool:
    """Whether `text` stands for "no value": null, blank, a dash of any width, 无, NULL, N/A, "空" …

    Inner blanks, case, width and surrounding quotation marks do not matter: `“ 空 ”`, `－`, `／`, `\\n`.

    >>> is_placeholder("——"), is_placeholder(" n/a "), is_placeholder("\\\\n"), is_placeholder("无锡")
    (True, True, True, False)
    """
    if text is None:
        return True
    if len(text) > 40 and not text.isspace():
        return False
    if text.isascii() and text.isalnum():
        return text.upper() in PLACEHOLDERS
    bare = "".join(unicodedata.normalize("NFKC", text).split()).strip(_QUOTES).upper()
    return bare in PLACEHOLDERS or _RUN_OF_DASHES.match(bare) is not None
