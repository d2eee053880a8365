"""Recognising rows: the digest of a mapped row, what is kept of a chunk, and which rows of it were there before."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from hashlib import sha256

import polars as pl

from connectors.delivery import Mapped
from gateway.judge import RECORD_KEY
from gateway.remembered.files import ROWS, SKETCH, Memory
from gateway.sealing import Sealer
from gateway.staging import order
from gateway.steps import Judged
from gateway.store.stage import PUT
from schemas.judgement import OPERATION, ROW

DIGEST_BYTES = 16

FOUND = {
    ROW: pl.UInt32,
    "file": pl.UInt32,
    "place": pl.UInt32,
    RECORD_KEY: pl.Binary,
    "content_hash": pl.Binary,
}
"""Columns of recognised rows: which file of the memory, and which row of it, says the same."""

_SKETCHED = 200
"""Digests of a file in the sketch; a chunk that shares a twentieth of its rows with a file is sure to meet some."""

_FILES = 4
"""Files a chunk is held against. Rows keep their order from one export to the next, so it meets one or two."""

_OPEN = 8
"""Files kept open, some 6 MB each: neighbouring chunks meet the same ones."""

_BETWEEN, _NOTHING = "\x1f", "\x1e"


def row_digests(frame: pl.DataFrame, sealer: Sealer, source: str) -> pl.Series:
    """A keyed digest of everything a mapped row says, and of the source and the columns it says it in.

    Rows may be personal: without the installation's key nobody can try values against a digest. SHA-256 over key and
    text, cut to half, is a message authentication code: what is cut off cannot be continued (unlike the whole of it).

    Args:
        frame: ``_row``, ``_op`` and text columns.

    Returns:
        pl.Binary, 16 bytes; null where the text of the row would not be unambiguous.
    """
    names = sorted(name for name in frame.columns if name != ROW)
    if frame.is_empty():
        return pl.Series("digest", [], dtype=pl.Binary)
    key = sealer.keyed_digest("\x1f".join(("remembered rows", source, *names)).encode())
    texts = [pl.col(name).cast(pl.String) for name in names]
    said = frame.select(
        pl.concat_str(pl.lit(key), *(text.fill_null(_NOTHING) for text in texts), separator=_BETWEEN).alias("text"),
        pl.any_horizontal(text == _NOTHING for text in texts).fill_null(value=False).alias("unclear"),
    )
    unclear = said["unclear"] | (said["text"].str.count_matches(_BETWEEN, literal=True) != len(names))
    hashed = pl.Series("digest", [sha256(text).digest()[:DIGEST_BYTES] for text in said["text"].cast(pl.Binary)])
    if not unclear.any():
        return hashed
    return pl.select(pl.when(~unclear).then(hashed).alias("digest")).to_series()


def rows_to_keep(
    judged: Judged, staged: pl.DataFrame, found: pl.DataFrame, digests: pl.Series, uscc: str, part: int
) -> pl.DataFrame:
    """What is remembered of a chunk: every record it speaks of, and the digests of the rows that can be recognised.

    Those are rows without a remark that carry their own USCC: what they come to depends on nothing but themselves.

    Args:
        judged: the chunk, of which the recognised rows were not judged.
        staged: columns of ``stage.STAGED``.
        found: the recognised rows; columns of ``FOUND``.
        digests: of every mapped row of the chunk, in its order.
        uscc: field of the record type that carries the code of the row's own subject.

    Returns:
        columns of ``ROWS``, in order of ``ord``.
    """
    by_row = judged.mapped.frame.select(order(part), ROW).with_columns(digests)
    own = judged.accepted.filter((pl.col(OPERATION) == PUT) & pl.col(uscc).is_not_null())
    clean = own.select(ROW).join(judged.warnings.select(ROW), on=ROW, how="anti")
    known = by_row.join(pl.concat([clean, found.select(ROW)]), on=ROW, how="semi").select("ord", "digest")
    kept = found.select(order(part), RECORD_KEY, "content_hash")
    told = pl.concat([staged.select("ord", RECORD_KEY, "content_hash"), kept])
    return told.join(known, on="ord", how="left").sort("ord").select(*ROWS)


def sketch_of(files: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """The sketch of a memory from its files of rows, in order; columns of ``SKETCH``."""
    sketched = [
        halves(rows["digest"].drop_nulls())[0].bottom_k(_SKETCHED).to_frame("half").with_columns(file=pl.lit(number))
        for number, rows in enumerate(files)
    ]
    return pl.concat([pl.DataFrame(schema=SKETCH), *(frame.cast(SKETCH) for frame in sketched)])  # type: ignore[arg-type]  # a plain dict of kinds


def halves(values: pl.Series) -> tuple[pl.Series, pl.Series]:
    """16 bytes each as two whole numbers, pl.UInt64, which are quicker to look up than bytes."""
    first, second = (
        values.bin.slice(start, 8).bin.reinterpret(dtype=pl.UInt64, endianness="little") for start in (0, 8)
    )
    return first, second


class Recogniser:
    """Finds the rows of a chunk among those that are remembered; one chunk at a time, from whichever thread."""

    def __init__(self, memory: Memory, touched: pl.Series) -> None:
        """Args:
        memory: of what the source said last.
        touched: keys of records about which something else has landed since; their rows are judged again.

        Raises:
            UnusableError: the memory cannot be relied on.
        """
        self._memory = memory
        self._sketch, self._gone = memory.shelf.read_sketch(), memory.shelf.read_gone()
        self._touched = touched
        self._open: OrderedDict[int, pl.DataFrame] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, mapped: Mapped, digests: pl.Series) -> pl.DataFrame:
        """The rows of a chunk that say exactly what a remembered one says.

        Args:
            digests: of the mapped rows, in their order.

        Returns:
            columns of ``FOUND``, in order of ``_row``.

        Raises:
            UnusableError: a file of the memory cannot be relied on.
        """
        first, second = halves(digests)
        asked = mapped.frame.select(ROW).with_columns(half=first, other=second).drop_nulls()
        # A fault of reading or mapping is one of the row as it was sent, which its mapped text does not show.
        asked = asked.join(mapped.faults.select(ROW), on=ROW, how="anti", maintain_order="left")
        found = [pl.DataFrame(schema=FOUND)]
        with self._lock:
            for number in self._alike(asked):
                met = asked.join(self._rows(number), on=["half", "other"], maintain_order="left")
                found.append(met.with_columns(file=pl.lit(number, pl.UInt32)).select(*FOUND))
                asked = asked.join(met, on=ROW, how="anti", maintain_order="left")
        return pl.concat(found).sort(ROW)

    def _alike(self, asked: pl.DataFrame) -> list[int]:
        """The files that have most rows in common with a chunk."""
        met = self._sketch.join(asked, on="half", how="semi")["file"].value_counts(sort=True)
        return met["file"].head(_FILES).to_list()

    def _rows(self, number: int) -> pl.DataFrame:
        if number not in self._open:
            self._open[number] = self._recognisable(number)
            while len(self._open) > _OPEN:
                self._open.popitem(last=False)
        self._open.move_to_end(number)
        return self._open[number]

    def _recognisable(self, number: int) -> pl.DataFrame:
        rows = self._memory.rows(number).with_row_index("place").drop_nulls("digest")
        first, second = halves(rows["digest"])
        rows = rows.with_columns(half=first, other=second).drop("digest")
        passed_over = pl.col("ord").is_in(self._gone.implode()) | pl.col(RECORD_KEY).is_in(self._touched.implode())
        return rows.filter(~passed_over).unique("half", keep="first", maintain_order=True)
