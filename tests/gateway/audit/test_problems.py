"""What is wrong is said in one line that quotes nothing of what lies there."""

from __future__ import annotations

import polars as pl
import pytest

from gateway.audit.problems import unreadable


def test_what_cannot_be_read_is_named_without_being_quoted() -> None:
    with pytest.raises(TypeError) as raised:
        pl.Series("body", ["a name\nand a number"], pl.Binary)

    zh, en = unreadable(raised.value)

    assert (zh[:5], en[:16]) == ("无法读取：", "cannot be read: ")
    assert "Binary" in en
    assert ("a name" in zh + en, "\n" in zh + en) == (False, False)
