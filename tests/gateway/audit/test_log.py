"""Sealing: places in order, harmless crashes, many sealers at once, and proofs of single entries."""

from __future__ import annotations

import threading
from datetime import datetime

import pytest
from sqlalchemy import delete, select, update

from connectors.errors import Refused, Unavailable
from gateway.audit import log as sealing
from gateway.audit.actions import Action
from gateway.audit.files import log_folder
from gateway.audit.giving_proofs import inclusion
from gateway.audit.keys import load_signer
from gateway.audit.log import Sealer, append, current_checkpoint, seal, seal_committed
from gateway.audit.merkle import ProofError, leaf_hashes, root
from gateway.audit.notes import Checkpoint
from gateway.audit.tables import entries, seal_state
from gateway.audit.verify import verify
from gateway.store import Store


def act(store: Store, now: datetime, count: int = 1) -> list[int]:
    with store.write() as conn:
        return [
            append(conn, action="run.failed", actor="xinqiao", at=now, facts={"number": number})
            for number in range(count)
        ]


def bodies(store: Store) -> list[bytes]:
    with store.read() as conn:
        rows = conn.execute(select(entries.c.idx, entries.c.body).where(entries.c.idx >= 0).order_by(entries.c.idx))
        found = rows.all()
    assert [row.idx for row in found] == list(range(len(found)))
    return [row.body for row in found]


def filed(store: Store) -> str:
    return (log_folder(store.settings) / "checkpoint").read_text("utf-8")


def test_an_entry_is_canonical_json_of_what_was_done(store: Store, now: datetime) -> None:
    with store.write() as conn:
        entry_id = append(conn, Action.GRANT_GIVEN, "zhang", {"purpose": "核查", "grant": "g1"}, now, ["B", "A", "A"])
        body = conn.execute(select(entries.c.body).where(entries.c.id == entry_id)).scalar_one()

    assert body.decode() == (
        '{"action":"grant.given","actor":"zhang","at":"2026-11-21T02:00:00.000000Z",'
        '"grant":"g1","purpose":"核查","usccs":["A","B"]}'
    )


def test_what_cannot_be_an_entry_is_refused(store: Store, now: datetime) -> None:
    with store.write() as conn:
        with pytest.raises(ValueError, match="unknown act 'grant.forged'"):
            append(conn, action="grant.forged", actor="x", at=now, facts={})
        with pytest.raises(ValueError, match=r"facts may not be named \['actor'\]"):
            append(conn, action="grant.given", actor="x", at=now, facts={"actor": "y"})
        with pytest.raises(ValueError, match="at most 65535 bytes"):
            append(conn, action="grant.given", actor="x", at=now, facts={"text": "x" * 65535})
        with pytest.raises(ValueError, match="time zone"):
            append(conn, action="grant.given", actor="x", at=now.replace(tzinfo=None), facts={})


def test_an_act_that_is_rolled_back_leaves_no_entry(store: Store, now: datetime) -> None:
    def fail_half_way() -> None:
        with store.write() as conn:
            append(conn, action="grant.given", actor="x", at=now, facts={})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()

    assert seal(store, now).size == 1


def test_the_first_seal_of_nothing_signs_the_empty_tree(store: Store, now: datetime) -> None:
    assert current_checkpoint(store) is None

    checkpoint = seal(store, now)

    assert (checkpoint.origin, checkpoint.size) == ("xinqiao.local/log", 1)
    assert current_checkpoint(store) == checkpoint
    assert filed(store) == checkpoint.note
    assert seal(store, now) == checkpoint


def test_the_root_is_that_of_all_entries_whenever_they_were_sealed(store: Store, now: datetime) -> None:
    for count in (1, 254, 1, 3, 300):
        act(store, now, count)
        checkpoint = seal(store, now)

        assert checkpoint.root == root(leaf_hashes(bodies(store)))
    assert checkpoint.size == 560
    assert verify(store).problems == ()


def test_a_long_backlog_is_sealed_in_pieces(store: Store, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "_BATCH", 100)
    act(store, now, 350)

    checkpoint = seal(store, now)

    assert (checkpoint.size, checkpoint.root) == (351, root(leaf_hashes(bodies(store))))
    assert verify(store).problems == ()


@pytest.mark.parametrize("where", ["write_tiles", "sign_checkpoint", "write_whole"])
def test_a_seal_that_was_cut_off_is_done_again(
    store: Store, now: datetime, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    act(store, now, 10)
    seal(store, now)
    act(store, now, 250)
    real = getattr(sealing, where)

    def cut_off(*args: object, **kwargs: object) -> None:
        if where == "write_tiles":
            real(*args, **kwargs)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(sealing, where, cut_off)
        with pytest.raises(KeyboardInterrupt):
            seal(store, now)
    assert filed(store).splitlines()[1] == "11"
    assert verify(store).problems == ()
    # Meanwhile another entry is written, and takes its place after those that had waited.
    act(store, now)

    checkpoint = seal(store, now)

    assert (checkpoint.size, filed(store)) == (262, checkpoint.note)
    assert verify(store).problems == ()


def test_tiles_of_an_order_that_never_came_to_be_are_replaced(store: Store, now: datetime) -> None:
    act(store, now, 3)
    seal(store, now)
    # What a seal leaves that is cut off after its tiles, if afterwards an entry with a lower id commits.
    for path in ("tile/0/000.p/5", "tile/entries/000.p/5"):
        (log_folder(store.settings) / path).write_bytes(b"another order")
    act(store, now, 3)

    seal(store, now)

    assert verify(store).problems == ()


# SQLite has one writer at a time: there entries commit in the order of writing.
@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_entries_get_their_places_when_they_are_sealed_not_when_they_are_written(store: Store, now: datetime) -> None:
    early = store.engine.connect()
    transaction = early.begin()
    first = append(early, action="run.failed", actor="slow", at=now, facts={})
    [second] = act(store, now)

    assert seal(store, now).size == 2
    transaction.commit()
    early.close()
    assert seal(store, now).size == 3

    with store.read() as conn:
        rows = conn.execute(select(entries.c.id, entries.c.idx).where(entries.c.id >= first))
        places = {row.id: row.idx for row in rows}
    assert first < second
    assert places == {second: 1, first: 2}
    assert verify(store).problems == ()


def test_many_sealers_at_once_make_one_log(store: Store, now: datetime) -> None:
    failed: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(5):
                act(store, now, 7)
                seal(store, now)
        except BaseException as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    checkpoint = seal(store, now)
    assert (checkpoint.size, filed(store)) == (141, checkpoint.note)
    assert checkpoint.root == root(leaf_hashes(bodies(store)))
    assert verify(store).problems == ()


def test_the_sealer_seals_beside_the_server_and_once_more_at_the_end(store: Store, now: datetime) -> None:
    sealer = Sealer(store, clock=lambda: now, every_s=0.01)
    sealer.start()
    act(store, now)
    sealer.stop()

    checkpoint = current_checkpoint(store)
    assert isinstance(checkpoint, Checkpoint)
    assert (checkpoint.size, sealer.is_alive()) == (2, False)


def test_an_entry_is_proven_to_be_in_the_log(store: Store, now: datetime) -> None:
    ids = act(store, now, 300)
    with pytest.raises(Unavailable):
        inclusion(store, ids[0])
    checkpoint = seal(store, now)

    proof = inclusion(store, ids[280])

    assert (proof["index"], proof["size"], proof["checkpoint"]) == (281, 301, checkpoint.note)
    assert proof["entry"]["number"] == 280
    assert len(proof["proof"]) == 7
    with pytest.raises(Refused):
        inclusion(store, ids[-1] + 1)


def test_what_a_seal_numbered_is_proven_as_if_it_were_asked_for(store: Store, now: datetime) -> None:
    [entry] = act(store, now)

    sealed = seal_committed(store, now)

    assert sealed.numbered.keys() == {entry - 1, entry}
    assert inclusion(store, entry, sealed) == inclusion(store, entry)


def test_an_entry_that_somebody_else_sealed_is_asked_for(store: Store, now: datetime) -> None:
    [entry] = act(store, now)
    seal(store, now)

    sealed = seal_committed(store, now)

    assert sealed.numbered == {}
    assert inclusion(store, entry, sealed) == inclusion(store, entry)


def test_the_last_bundle_is_the_same_whether_its_entries_are_remembered_or_read(store: Store, now: datetime) -> None:
    bundles = []
    for is_remembered in (True, False, True, True):
        act(store, now, 90)
        if not is_remembered:
            sealing._UNFILLED.clear()
        seal(store, now)
        bundles.append(sealing._UNFILLED[store.engine][1])

    assert [len(bodies_kept) for bodies_kept in bundles] == [91, 181, 15, 105]
    assert list(bundles[-1]) == bodies(store)[256:]
    assert verify(store).problems == ()


def test_what_is_remembered_of_a_log_that_was_put_back_is_not_used(store: Store, now: datetime) -> None:
    seal(store, now)
    with store.read() as conn:
        before = conn.execute(select(seal_state)).one()._mapping
    [entry] = act(store, now)
    seal(store, now)
    with store.write() as conn:
        conn.execute(delete(entries).where(entries.c.id == entry))
        conn.execute(update(seal_state).values(**before))
    act(store, now, 2)

    checkpoint = seal(store, now)

    assert (checkpoint.size, filed(store)) == (3, checkpoint.note)
    assert verify(store).problems == ()


def test_of_two_that_seal_in_turn_the_newest_is_published_whoever_comes_last(store: Store, now: datetime) -> None:
    seal(store, now)
    act(store, now)
    first = sealing._seal_batch(store, now)
    act(store, now)
    second = sealing._seal_batch(store, now)

    assert sealing._publish(store, second) == second.checkpoint
    assert sealing._publish(store, first) == second.checkpoint
    assert second.checkpoint
    assert filed(store) == second.checkpoint.note


def test_a_false_proof_is_never_given_out(store: Store, now: datetime) -> None:
    [first, _] = act(store, now, 2)
    seal(store, now)
    tile = log_folder(store.settings) / "tile/0/000.p/3"
    tile.write_bytes(bytes(32) + tile.read_bytes()[32:])

    with pytest.raises(ProofError):
        inclusion(store, first)


def test_an_altered_state_of_sealing_is_not_built_upon(store: Store, now: datetime) -> None:
    seal(store, now)
    with store.write() as conn:
        conn.execute(update(seal_state).values(size=7))
    act(store, now)

    with pytest.raises(ValueError, match="edge of a log of 7 entries: it counts 1"):
        seal(store, now)


def test_the_key_can_be_read_by_its_owner_alone(store: Store) -> None:
    keys = store.settings.home / "keys"

    assert (keys / "log.key").stat().st_mode & 0o777 == 0o600
    assert (keys / "log.vkey").read_text("utf-8") == load_signer(store.settings).verifier().text() + "\n"


def test_every_act_has_a_title_in_both_languages() -> None:
    assert [action for action in Action if not (action.zh and action.en and action.value.count(".") == 1)] == []
    assert len({action.zh for action in Action}) == len(Action)
