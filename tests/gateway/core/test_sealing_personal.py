"""Personal fields of a chunk sealed together: each record as if it were alone."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from gateway.judge import RECORD_KEY
from gateway.sealing import salted_digest
from gateway.staging import SALT, seal_personal
from schemas.canonical import canonical_json
from schemas.judgement import ROW
from tests.support.sealing import sealer_of

SEALER = sealer_of(bytes(32))
PERSONAL = ("name", "phone")
SAID = [("周某", "10000000001"), (None, "10000000002"), (None, None), ('"欧\\阳"\n', None), ("周某", "10000000001")]


def chunk(rows: list[tuple[str | None, str | None]], keys: list[bytes]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            ROW: pl.Series(range(1, len(rows) + 1), dtype=pl.UInt32),
            RECORD_KEY: pl.Series(keys, dtype=pl.Binary),
            "topic": pl.Series([f"t{number}" for number in range(len(rows))], dtype=pl.String),
            **{name: pl.Series([row[at] for row in rows], dtype=pl.String) for at, name in enumerate(PERSONAL)},
        }
    )


def opened(row: dict[str, Any]) -> tuple[bytes, str]:
    """What lies sealed beside a row, and the salt in it."""
    plain = SEALER.open(row["sealed"], row[RECORD_KEY])
    return plain, plain.decode().rpartition(f'"{SALT}":"')[2][:64]


@pytest.mark.parametrize("repeated", [1, 30])
def test_every_row_is_sealed_and_digested_as_if_it_were_alone(repeated: int) -> None:
    rows = SAID * repeated
    frame = chunk(rows, [bytes([number]) * 16 for number in range(len(rows))])

    replaced = seal_personal(frame, PERSONAL, SEALER, {})

    assert replaced.select(ROW, RECORD_KEY, "topic").equals(frame.select(ROW, RECORD_KEY, "topic"))
    assert not set(PERSONAL) & set(replaced.columns)
    for said, row in zip(rows, replaced.iter_rows(named=True), strict=True):
        known = {name: value for name, value in zip(PERSONAL, said, strict=True) if value is not None}
        digests = {name: row[f"{name}_digest"] for name in PERSONAL if row[f"{name}_digest"] is not None}
        if not known:
            assert (row["sealed"], digests) == (None, {})
            continue
        plain, salt = opened(row)
        assert plain == canonical_json({**known, SALT: salt})
        assert digests == {name: salted_digest(value, bytes.fromhex(salt)) for name, value in known.items()}


def test_a_record_keeps_its_salt_and_two_rows_about_one_agree_on_a_new_one() -> None:
    standing, new, other = (bytes([number]) * 16 for number in (1, 2, 3))
    frame = chunk([("周某", None)] * 4, [new, standing, new, other])

    replaced = seal_personal(frame, PERSONAL, SEALER, {standing: b"s" * 32})

    salts = [opened(row)[1] for row in replaced.iter_rows(named=True)]
    assert salts[1] == (b"s" * 32).hex()
    assert (salts[0] == salts[2], len(set(salts))) == (True, 3)


def test_a_chunk_in_which_nobody_is_named_has_nothing_sealed() -> None:
    frame = chunk([(None, None)] * 2, [b"a" * 16, b"b" * 16])

    replaced = seal_personal(frame, PERSONAL, SEALER, {})

    assert replaced.select("sealed", "name_digest", "phone_digest").null_count().row(0) == (2, 2, 2)
