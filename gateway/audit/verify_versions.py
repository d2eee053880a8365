"""Verifying what was landed: stored versions against the roots in the entries that tell of them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any

import polars as pl
from sqlalchemy import Boolean, Column, ColumnElement, Connection, Date, Integer, String, cast, select

from certs.errors import KeyUnusable
from gateway.audit import merkle
from gateway.audit.leaves import accepted_leaves
from gateway.audit.problems import Problems, Progress, unreadable
from gateway.audit.proofs import accepted_count
from gateway.audit.roots import VERSION_COLUMNS, root, version_leaf_hashes
from gateway.audit.tables import covered_range
from gateway.audit.verify_entries import UNREADABLE, Landing
from gateway.audit.verify_sealed import erased_records, sealed_faults
from gateway.sealing import Sealer, load_sealer
from gateway.settings import Settings
from gateway.store.tables import deliveries, versions_table
from schemas.columnar import contract
from schemas.records import RECORD_TYPES

_PAGE = 20_000


def verify_versions(
    conn: Connection, settings: Settings, landings: Sequence[Landing], problems: Problems, progress: Progress
) -> int:
    """Recompute every stored version and compare it with the entry of its delivery.

    Returns:
        how many versions there are.
    """
    checked = 0
    for record_type in sorted(RECORD_TYPES):
        own = [landing for landing in landings if landing.entry.get("record_type") == record_type]
        table = _Verification(conn, settings, record_type, own, problems)
        checked = table.run(checked, progress)
    return checked


def verify_register(conn: Connection, landings: Sequence[Landing], problems: Problems) -> None:
    """Every landed delivery has its entry, and its receipt says nothing other than that."""
    by_delivery = {landing.entry.get("delivery_id"): landing for landing in landings}
    landed = select(deliveries.c.id, deliveries.c.audit_entry, deliveries.c.receipt).where(
        deliveries.c.status == "landed"
    )
    seen = set()
    for delivery_id, entry_id, receipt in conn.execute(landed):
        seen.add(delivery_id)
        landing = by_delivery.get(delivery_id)
        if landing is None:
            problems.add(None, f"delivery {delivery_id}", "没有对应的审计条目", "no entry tells of its landing")
            continue
        said = receipt if isinstance(receipt, dict) else {}
        different = sorted(name for name in said.keys() & landing.entry.keys() if said[name] != landing.entry[name])
        if different or entry_id != landing.entry_id or not said:
            what = different or ["audit_entry" if said else "receipt"]
            problems.add(
                landing.index,
                f"delivery {delivery_id}",
                f"登记内容与审计条目不符：{what}",
                f"the register differs from its entry: {what}",
            )
    for delivery_id in by_delivery.keys() - seen:
        problems.add(
            by_delivery[delivery_id].index,
            f"delivery {delivery_id}",
            "登记缺失",
            "the register does not know it as landed",
        )


class _Verification:
    """One record type, read once in feed order; versions are handed to their landings as they pass."""

    def __init__(
        self, conn: Connection, settings: Settings, record_type: str, own: Sequence[Landing], problems: Problems
    ) -> None:
        self._conn, self._settings, self._record_type, self._problems = conn, settings, record_type, problems
        self._versions = versions_table(record_type)
        self._facets = contract(record_type).facets
        self._personal = contract(record_type).personal
        self._sealer = _sealer(settings)
        self._erased = erased_records(conn, record_type)
        self._ranged = sorted((one for one in own if _range(one)), key=_first_seq)
        self._empty = [one for one in own if not _range(one)]
        self._next_seq = 1
        self._missing: set[int] = set()
        self._leaves: list[bytes] = []
        self._puts: list[bytes] = []

    def run(self, checked: int, progress: Progress) -> int:
        """Verify all versions; returns ``checked`` and how many there are."""
        self._verify_ranges()
        for landing in self._empty:
            self._verify_landing(landing, [], [])
        waiting = self._ranged[::-1]
        while not (page := self._page(self._next_seq)).is_empty():
            self._verify_rows(page, waiting)
            checked += page.height
            progress("versions", checked)
        if self._ranged:
            self._verify_gapless([], _last_seq(self._ranged[-1]) + 1)
        while waiting:
            self._finish(waiting.pop())
        self._verify_superseded()
        return checked

    def _verify_ranges(self) -> None:
        """Landings take up the feed without gap or overlap."""
        expected = 1
        for landing in self._ranged:
            first, last = _range(landing) or (expected, expected)
            if first != expected:
                self._tell(
                    landing,
                    f"起始位置应为 {expected}，实为 {first}",
                    f"expected to begin at {expected}, begins at {first}",
                )
            expected = last + 1

    def _page(self, start: int) -> pl.DataFrame:
        seq = self._versions.c.seq
        rows = select(seq).where(seq >= start).order_by(seq).limit(_PAGE)
        seqs = self._conn.execute(rows).scalars().all()
        if not seqs:
            return self._frame([])
        columns = self._columns()
        try:
            here = select(*columns).where(seq >= start, seq <= seqs[-1]).order_by(seq)
            return self._frame(self._conn.execute(here).all())
        except UNREADABLE:
            return pl.concat([self._single(columns, one) for one in seqs])

    def _single(self, columns: Sequence[ColumnElement[Any]], seq: int) -> pl.DataFrame:
        """One row of a page that could not be read; an unreadable one is reported and left out."""
        try:
            return self._frame(self._conn.execute(select(*columns).where(self._versions.c.seq == seq)).all())
        except UNREADABLE as error:
            self._tell_version(seq, *unreadable(error))
            return self._frame([])

    def _columns(self) -> list[ColumnElement[Any]]:
        named = [self._versions.c[name] for name in (*VERSION_COLUMNS, "payload", "sealed")]
        return [*named, *(_plain(self._versions.c[name]).label(f"facet_{name}") for name in self._facets)]

    def _frame(self, rows: Sequence[Any]) -> pl.DataFrame:
        schema: dict[str, Any] = {**VERSION_COLUMNS, "payload": pl.Binary, "sealed": pl.Binary}
        schema |= {f"facet_{name}": _plain_dtype(dtype) for name, dtype in self._facets.items()}
        return pl.DataFrame([tuple(row) for row in rows], schema=schema, orient="row")

    def _verify_rows(self, page: pl.DataFrame, waiting: list[Landing]) -> None:
        seqs = page["seq"].to_list()
        self._verify_gapless(seqs, seqs[-1] + 1)
        self._verify_contents(page)
        leaves = version_leaf_hashes(page)
        puts = page.select(pl.when(pl.col("op") == "put").then("content_hash")).to_series().to_list()
        at = 0
        while at < len(seqs):
            first, last = (_range(waiting[-1]) if waiting else None) or (seqs[-1] + 1, seqs[-1] + 1)
            begin, end = bisect_left(seqs, first, at), bisect_right(seqs, last, at)
            for seq in seqs[at:begin]:
                self._tell_version(seq, "没有审计条目说明其入库", "no entry tells of its landing")
            self._leaves += leaves[begin:end]
            self._puts += [put for put in puts[begin:end] if put is not None]
            if waiting and last <= seqs[-1]:
                self._finish(waiting.pop())
            at = max(begin, end)
        self._next_seq = seqs[-1] + 1

    def _verify_gapless(self, seqs: Sequence[int], end: int) -> None:
        """Every position from the last one seen up to ``end`` has its version."""
        if end - self._next_seq == len(seqs):
            return
        for seq in sorted(set(range(self._next_seq, end)) - set(seqs)):
            self._missing.add(seq)
            self._tell_version(seq, "版本缺失", "the version is missing")

    def _verify_contents(self, page: pl.DataFrame) -> None:
        computed = pl.Series(merkle.leaf_hashes(page["payload"]), dtype=pl.Binary)
        is_same = computed == page["content_hash"]
        for seq in page.filter(~is_same)["seq"]:
            self._tell_version(seq, "内容与内容摘要不符", "the payload does not have its content hash")
        # Only payloads that are what was landed are known to be readable.
        sound = page.filter(is_same)
        if self._personal and self._sealer is not None:
            for fault in sealed_faults(sound, self._personal, self._sealer, self._erased):
                self._tell_version(*fault)
        if not self._facets:
            return
        fields = {name: _json_dtype(dtype) for name, dtype in self._facets.items()}
        told = sound["payload"].cast(pl.String).str.json_decode(pl.Struct(fields)).struct.unnest()
        for name in self._facets:
            differs = sound[f"facet_{name}"].ne_missing(told[name].cast(sound.schema[f"facet_{name}"]))
            for seq in sound.filter(differs)["seq"]:
                self._tell_version(seq, f"列 {name} 与内容不符", f"column {name} differs from the payload")

    def _finish(self, landing: Landing) -> None:
        self._verify_landing(landing, self._leaves, self._puts)
        self._leaves, self._puts = [], []

    def _verify_landing(self, landing: Landing, leaves: list[bytes], puts: list[bytes]) -> None:
        if root(leaves).hex() != landing.entry.get("versions_root"):
            self._tell(landing, "入库版本与审计条目的根不符", "its versions do not have the root in its entry")
        delivery_id = str(landing.entry.get("delivery_id"))
        try:
            accepted = accepted_leaves(self._settings.home, delivery_id)
        except (FileNotFoundError, ValueError) as error:
            self._tell(landing, f"接收摘要文件：{error}", f"file of accepted hashes: {error}")
            return
        if root(accepted).hex() != landing.entry.get("accepted_root") or len(accepted) != accepted_count(landing.entry):
            self._tell(
                landing,
                "接收摘要文件与审计条目的根不符",
                "the file of accepted hashes does not have the root in its entry",
            )
        elif set(puts) - set(accepted):
            self._tell(landing, "入库版本不在接收之列", "it landed a version of a record that it did not accept")

    def _verify_superseded(self) -> None:
        """A version is superseded by the next one of its record, the last one by none."""
        older, newer = self._versions, self._versions.alias("newer")
        following = (newer.c.record_key == older.c.record_key) & (newer.c.version == older.c.version + 1)
        wrong = (
            select(older.c.seq, older.c.superseded_seq, newer.c.seq)
            .outerjoin(newer, following)
            .where(older.c.superseded_seq.is_distinct_from(newer.c.seq))
            .order_by(older.c.seq)
            .limit(100)
        )
        for seq, said, next_seq in self._conn.execute(wrong):
            if next_seq is None and said in self._missing:
                # The version is as it was landed; the one that followed it is gone, and that has been told.
                continue
            zh = f"superseded_seq 应为 {next_seq}，实为 {said}"
            self._tell_version(seq, zh, f"superseded_seq: expected {next_seq}, got {said}")

    def _tell(self, landing: Landing, zh: str, en: str) -> None:
        where = f"{self._record_type} delivery {landing.entry.get('delivery_id')}"
        self._problems.add(landing.index, where, zh, en)

    def _tell_version(self, seq: int, zh: str, en: str) -> None:
        at = bisect_right(self._ranged, seq, key=_first_seq) - 1
        covered = _range(self._ranged[at]) if at >= 0 else None
        index = self._ranged[at].index if covered and covered[0] <= seq <= covered[1] else None
        self._problems.add(index, f"{self._record_type} seq {seq}", zh, en)


def _sealer(settings: Settings) -> Sealer | None:
    """The installation's sealing keys; an auditor who was not given them verifies everything else."""
    try:
        return load_sealer(settings.home)
    except (FileNotFoundError, KeyUnusable):
        return None


def _range(landing: Landing) -> tuple[int, int] | None:
    found = covered_range(landing.entry)
    return found[1:] if found else None


def _first_seq(landing: Landing) -> int:
    found = _range(landing)
    return found[0] if found else 0


def _last_seq(landing: Landing) -> int:
    found = _range(landing)
    return found[1] if found else 0


def _plain(column: Column[Any]) -> ColumnElement[Any]:
    """A facet column as something that can always be read, whatever somebody wrote into it."""
    if isinstance(column.type, Date):
        return cast(column, String)
    return cast(column, Integer) if isinstance(column.type, Boolean) else column


def _plain_dtype(dtype: pl.DataType) -> pl.DataType:
    return {pl.Date(): pl.String(), pl.Boolean(): pl.Int64()}.get(dtype, dtype)


def _json_dtype(dtype: pl.DataType) -> pl.DataType:
    return pl.String() if dtype == pl.Date else dtype
