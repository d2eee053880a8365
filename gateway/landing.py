"""Landing one resolved delivery: versions, entity tables and the two Merkle roots of its audit entry."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import polars as pl
from sqlalchemy import Connection

from connectors.spec import SourceSpec
from gateway.audit.leaves import keep_leaves
from gateway.audit.roots import root, version_leaf_hashes
from gateway.entities import learn
from gateway.expect import check_withdrawals
from gateway.judge import RECORD_KEY, seen_keys
from gateway.sealing import load_sealer
from gateway.staging import stage, standing_salts
from gateway.steps import Landed, Resolved
from gateway.store import Store
from gateway.store.landing import Change, Plan, Position, plan, standing, write
from schemas.columnar import contract


def land_resolved(
    conn: Connection,
    store: Store,
    position: Position,
    resolved: Resolved,
    spec: SourceSpec,
    delivery_id: str,
) -> Landed:
    """Land the rows inside the caller's transaction.

    Raises:
        ExpectationFailed: a snapshot would withdraw too much; the caller's transaction must not commit.
    """
    rules = contract(spec.record_type)
    sealer = load_sealer(store.settings.home)
    staged = stage(resolved.frame, rules, sealer, standing_salts(conn, resolved.frame, rules, sealer))
    # Rows out of quarantine and links are single statements, never a new snapshot of everything.
    is_snapshot = spec.delivery == "snapshot" and not resolved.judged.mapped.sheet.delivery.is_partial
    seen = seen_keys(resolved.judged, rules, spec.source) if is_snapshot else None
    stood = standing(conn, spec.record_type, spec.source) if is_snapshot else 0
    planned = plan(conn, position, staged, source=spec.source, delivery_id=delivery_id, seen=seen)
    leaves = staged.filter(pl.col("op") == "put")["content_hash"].to_list()
    # Hashing is ours and writing is the database's: they go on side by side.
    with ThreadPoolExecutor(1) as aside:
        accepted = aside.submit(root, leaves)
        hashed = aside.submit(version_leaf_hashes, planned.puts)
        kept = aside.submit(keep_leaves, store.settings.home, delivery_id, leaves)
        change = write(conn, planned)
        if is_snapshot:
            check_withdrawals(change.withdrawn, stood, spec)
        fresh = resolved.frame.join(planned.puts, on=RECORD_KEY, how="semi")
        learn(conn, rules, fresh, spec.authority, position.landed_at)
        kept.result()
    waiting = staged.filter((pl.col("op") == "put") & pl.col("uscc").is_null()).height
    return summed(change, accepted.result(), _in_feed_order(planned, hashed.result(), change), position, waiting)


def _in_feed_order(planned: Plan, hashed: list[bytes], change: Change) -> list[bytes]:
    """Leaf hashes of all versions landed: those of the puts are there, withdrawals were read back."""
    withdrawn = change.versions.filter(pl.col("op") == "withdraw")
    if withdrawn.is_empty():
        return hashed
    puts = planned.puts.select("seq").with_columns(leaf=pl.Series(hashed, dtype=pl.Binary))
    others = withdrawn.select("seq").with_columns(leaf=pl.Series(version_leaf_hashes(withdrawn), dtype=pl.Binary))
    return pl.concat([puts, others]).sort("seq")["leaf"].to_list()


def summed(change: Change, accepted_root: bytes, versions: list[bytes], position: Position, unresolved: int) -> Landed:
    """What a landing came to, with the two roots that its audit entry carries.

    Args:
        versions: leaf hashes of the versions landed, in feed order.
    """
    return Landed(
        new=change.new,
        changed=change.changed,
        unchanged=change.unchanged,
        withdrawn=change.withdrawn,
        absent=change.absent,
        unresolved=unresolved,
        first_seq=change.first_seq,
        last_seq=change.last_seq,
        accepted_root=accepted_root.hex(),
        versions_root=root(versions).hex(),
        landed_at=position.landed_at,
    )
