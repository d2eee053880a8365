"""Canonical JSON is RFC 8785, by column and one by one alike."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.canonical import canonical_json, leaf_hashes, payloads

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ['"', "\\", "\x00", "\x1f", "\x7f", "\u2028", "\u2029", "😀", "é\u0301", "a\nb\tc\r\b\f", "</script>", "无锡"]
)
COLUMNS = {
    "b_text": pl.String,
    "a_text": pl.String,
    "day_on": pl.Date,
    "seen_at": pl.Datetime("us", "UTC"),
    "number": pl.Int64,
    "is_so": pl.Boolean,
    "文": pl.String,
    "😀": pl.String,
    "\ufb33": pl.String,
}
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "b_text": st.none() | TEXT,
            "a_text": st.none() | TEXT,
            "day_on": st.none() | st.dates(),
            "seen_at": st.none() | st.datetimes(timezones=st.just(UTC)),
            "number": st.none() | st.integers(-(2**53) + 1, 2**53 - 1),
            "is_so": st.none() | st.booleans(),
            "文": st.none() | TEXT,
            "😀": st.none() | TEXT,
            "\ufb33": st.none() | TEXT,
        }
    ),
    max_size=8,
)


@settings(max_examples=200, deadline=None)
@given(ROWS)
def test_by_column_and_one_by_one_give_the_same_bytes(rows: list[dict[str, object]]) -> None:
    frame = pl.DataFrame(rows, schema=COLUMNS)

    few = payloads(frame, list(COLUMNS)).to_list()
    many = payloads(pl.concat([frame] * 101), list(COLUMNS)).to_list()

    assert few == [canonical_json(row) for row in rows]
    assert many == few * 101


@pytest.mark.parametrize("nulls", ["a", "z", "az", "my", "amyz", ""])
def test_a_text_that_reads_like_an_absent_member_stays(nulls: str) -> None:
    texts = ['"a":null,', ',"z":null}', '{"z":null}', '\\","z":null,', "null", '":null,']
    rows = [{name: None if name in nulls else text for name in "amyz"} for text in texts]
    frame = pl.DataFrame(rows * 50, schema=dict.fromkeys("amyz", pl.String))
    # Whether a column has nulls is asked of the whole of it.
    some = pl.concat([frame, frame.clear(1), frame.select(pl.col(pl.String).fill_null("x"))])

    assert payloads(frame, "amyz").to_list() == [canonical_json(row) for row in frame.to_dicts()]
    assert payloads(some, "amyz").to_list() == [canonical_json(row) for row in some.to_dicts()]


def test_every_character_is_written_by_column_as_the_standard_library_writes_it() -> None:
    # By column it is Polars that writes JSON; another version of it must not mean another hash.
    characters = [chr(code) for code in (*range(0x3000), *range(0xFE00, 0x10000), *range(0x1F600, 0x1F650))]

    written = payloads(pl.DataFrame({"a": characters}), ["a"]).to_list()

    assert written == [f'{{"a":{json.dumps(one, ensure_ascii=False)}}}'.encode() for one in characters]


@settings(max_examples=300, deadline=None)
@given(TEXT)
def test_text_reads_back_and_is_escaped_only_as_rfc_8785_says(text: str) -> None:
    written = canonical_json(text).decode()

    # The same rules, from the standard library: shortest escapes, lower-case hex, nothing else escaped.
    assert written == json.dumps(text, ensure_ascii=False)
    assert json.loads(written) == text


def test_the_example_of_rfc_8785_sorts_by_utf_16_code_units() -> None:
    value = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }

    order = [name for name, _ in json.loads(canonical_json(value), object_pairs_hook=list)]

    assert order == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]


def test_the_string_example_of_rfc_8785_is_written_byte_for_byte() -> None:
    assert canonical_json('\u20ac$\u000f\nA\'B"\\\\"/') == b'"\xe2\x82\xac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'


def test_a_record_is_written_without_nulls_with_dates_and_decimals_as_text() -> None:
    value = {
        "uscc": "91350100M000100Y43",
        "established_on": date(2000, 1, 1),
        "ends_on": date(9999, 12, 31),
        "seen_at": datetime(2023, 4, 1, 8, 0, 0, 120000, tzinfo=timezone(timedelta(hours=8))),
        "capital": Decimal("1.2300E+3"),
        "nothing": None,
        "list": [1, None, True],
    }

    assert canonical_json(value) == (
        b'{"capital":"1230","ends_on":"9999-12-31","established_on":"2000-01-01","list":[1,null,true],'
        b'"seen_at":"2023-04-01T00:00:00.12Z","uscc":"91350100M000100Y43"}'
    )


@pytest.mark.parametrize("value", [1.5, float("nan"), datetime(2023, 4, 1), b"x", {1}, Decimal("NaN")])
def test_what_has_no_exact_form_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="has no canonical JSON"):
        canonical_json({"value": value})


def test_an_integer_no_reader_can_hold_is_refused() -> None:
    assert canonical_json(2**53 - 1) == b"9007199254740991"

    with pytest.raises(ValueError, match="not exact in JSON"):
        canonical_json(2**53)


def test_half_a_character_is_refused() -> None:
    with pytest.raises(UnicodeEncodeError):
        canonical_json({"value": "\ud83d"})


def test_a_float_column_is_refused() -> None:
    with pytest.raises(TypeError, match="column 'x' of type Float64 has no canonical JSON"):
        payloads(pl.DataFrame({"x": [1.5]}), ["x"])


def test_no_columns_and_no_rows_are_fine() -> None:
    assert payloads(pl.DataFrame({"x": ["a"]}), []).to_list() == [b"{}"]
    assert payloads(pl.DataFrame(schema={"x": pl.String}), ["x"]).to_list() == []


def test_a_leaf_hash_is_sha_256_of_a_zero_byte_and_the_payload() -> None:
    records = pl.Series([b"{}", b'{"a":"b"}'], dtype=pl.Binary)

    assert leaf_hashes(records).to_list() == [hashlib.sha256(b"\x00" + r).digest() for r in (b"{}", b'{"a":"b"}')]
