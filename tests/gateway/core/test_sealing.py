"""Sealing: what opens what, how the key ring is rotated, and that nobody has to stop for it."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread

import polars as pl
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from certs.errors import KeyUnusable
from certs.suites import SUITES, Suite, suite_named
from connectors.errors import Refused
from gateway import sealing
from gateway.aead import code_of
from gateway.keyring import create_ring, kek_path, legacy_path, open_ring, read_ring, retire, ring_path, rotate
from gateway.sealing import Sealer, load_sealer, new_salts, salted_digest, salted_digests
from tests.support.sealing import sealer_of

INTERNATIONAL, GUOMI = suite_named("international"), suite_named("guomi")
SEALER, OTHER = sealer_of(bytes(32)), sealer_of(b"\1" * 32)
NOW = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    create_ring(tmp_path, NOW, INTERNATIONAL)
    return tmp_path


def elsewhere(home: Path) -> Sealer:
    """The sealer as another process of the same installation has it."""
    return load_sealer.__wrapped__(home)


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
def test_what_was_sealed_opens_with_its_key_and_its_context_only(suite: Suite) -> None:
    sealer = sealer_of(bytes(suite.aead.key_bytes), suite)
    other = sealer_of(b"\1" * suite.aead.key_bytes, suite)

    sealed = sealer.seal(b"10000000001", b"record a")

    assert sealer.open(sealed, b"record a") == b"10000000001"
    for opener, context, text in [
        (sealer, b"record b", sealed),
        (other, b"record a", sealed),
        (sealer, b"record a", sealed[:-1]),
        *((sealer, b"record a", sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]) for at in range(len(sealed))),
        *((sealer, b"record a", sealed[:length]) for length in (0, 3, 16, 28, 30)),
    ]:
        with pytest.raises((InvalidTag, ValueError)):
            opener.open(text, context)


def test_the_same_value_is_sealed_differently_each_time_and_digested_alike_under_one_salt() -> None:
    salt, other = new_salts(2)

    assert SEALER.seal(b"x", b"a") != SEALER.seal(b"x", b"a")
    assert salted_digest("x", salt) == salted_digest("x", salt)
    assert len({salted_digest("x", salt), salted_digest("x", other), salted_digest("y", salt)}) == 3


def test_a_column_of_values_is_digested_as_each_of_them_is() -> None:
    values = pl.Series("phone", ["10000000001", "周某", None, "", "10000000001"])
    salts = new_salts(5)

    assert salted_digests(values, salts).to_list() == [
        None if value is None else salted_digest(value, salt) for value, salt in zip(values, salts, strict=True)
    ]


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
def test_many_are_sealed_as_each_of_them_is_every_one_under_a_nonce_of_its_own(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "_AT_ONCE", 3)
    sealer = sealer_of(bytes(suite.aead.key_bytes), suite)
    plains, contexts = [b"p%d" % number for number in range(7)], [b"c%d" % number for number in range(7)]

    sealed = sealer.seal_all(plains, contexts)

    assert [sealer.open(*one) for one in zip(sealed, contexts, strict=True)] == plains
    assert len({one[16:28] for one in sealed}) == 7
    assert sealer.seal_all([], []) == []
    with pytest.raises(InvalidTag):
        sealer.open(sealed[0], contexts[1])


@pytest.mark.parametrize(("plains", "contexts"), [(3, 2), (2, 3), (1, 0)])
def test_as_many_contexts_as_there_is_to_seal_are_demanded(plains: int, contexts: int) -> None:
    # Cut into pieces, these would be sealed up to the shorter one, or for ever.
    with pytest.raises(ValueError, match=f"{plains} to seal, but {contexts} contexts"):
        SEALER.seal_all([b"p"] * plains, [b"c"] * contexts)


def test_a_keyed_digest_is_the_same_for_one_key_and_another_for_another() -> None:
    assert SEALER.keyed_digest(b"x") == SEALER.keyed_digest(b"x")
    assert len({SEALER.keyed_digest(b"x"), SEALER.keyed_digest(b"y"), OTHER.keyed_digest(b"x")}) == 3


def test_a_salt_seals_so_much_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "_SEALS_PER_SALT", 2)
    sealer = sealer_of(bytes(32))

    salts = [sealer.seal(b"x", b"")[8:16] for _ in range(4)]
    together = [sealed[8:16] for sealed in sealer.seal_all([b"x"] * 5, [b""] * 5)]

    assert salts[0] == salts[1] != salts[2] == salts[3]
    assert [together.count(salt) for salt in dict.fromkeys(together)] == [2, 2, 1]


def test_key_files_are_for_their_owner_alone_and_never_made_twice(home: Path) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (ring_path(home), kek_path(home, 1))}

    assert modes == {"data-keys.json": 0o600, "kek-0001.key": 0o600}
    with pytest.raises(FileExistsError):
        create_ring(home, NOW, INTERNATIONAL)


def test_a_home_without_a_ring_has_no_sealer(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_sealer(tmp_path)


def test_no_data_key_lies_open_in_the_ring(home: Path) -> None:
    keys = [key for _, key in open_ring(home).keys.values()]

    text = ring_path(home).read_text("utf-8")
    assert len(set(keys)) == 2
    assert not [key for key in keys if key.hex() in text]


def test_after_a_rotation_running_processes_seal_with_the_new_key_and_open_both(home: Path) -> None:
    worker, other = elsewhere(home), elsewhere(home)
    before = worker.seal(b"old", b"a")

    rotate(home, NOW, INTERNATIONAL)
    time.sleep(sealing._LOOK_EVERY_S)

    after = worker.seal(b"new", b"a")
    assert (worker.key_number(before), worker.key_number(after), worker.current) == (1, 3, 3)
    assert [(sealer.open(before, b"a"), sealer.open(after, b"a")) for sealer in (worker, other)] == [
        (b"old", b"new")
    ] * 2


def test_rotating_re_wraps_every_data_key_and_the_old_generation_can_be_destroyed(home: Path) -> None:
    sealed, digest = load_sealer(home).seal(b"old", b"a"), load_sealer(home).keyed_digest(b"x")
    with pytest.raises(Refused, match="in use"):
        retire(home, 1)

    ring = rotate(home, NOW, INTERNATIONAL)
    retire(home, 1)

    assert {key.kek for key in ring.keys} == {2}
    assert not kek_path(home, 1).exists()
    assert (elsewhere(home).open(sealed, b"a"), elsewhere(home).keyed_digest(b"x")) == (b"old", digest)
    for generation in (1, 2, 3):
        with pytest.raises(Refused):
            retire(home, generation)


def test_what_another_process_has_sealed_with_a_newer_key_opens_at_once(home: Path) -> None:
    behind = elsewhere(home)
    rotate(home, NOW, INTERNATIONAL)

    assert behind.open(elsewhere(home).seal(b"new", b"a"), b"a") == b"new"


def test_data_keys_of_several_generations_are_readable_at_once(
    home: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # A ring that was rotated by hand, one key at a time: what an HSM that wraps slowly would leave for a while.
    sealed = load_sealer(home).seal(b"old", b"a")
    mixed = tmp_path_factory.mktemp("mixed")
    shutil.copytree(home / "keys", mixed / "keys")
    old = read_ring(home)
    rotated = rotate(mixed, NOW, INTERNATIONAL)
    ring_path(mixed).write_text(
        ring_path(mixed)
        .read_text("utf-8")
        .replace(rotated.keys[0].wrapped, old.keys[0].wrapped)
        .replace(
            '"kek": 2,\n   "wrapped": "' + old.keys[0].wrapped, '"kek": 1,\n   "wrapped": "' + old.keys[0].wrapped
        ),
        "utf-8",
    )

    assert {key.kek for key in read_ring(mixed).keys} == {1, 2}
    assert elsewhere(mixed).open(sealed, b"a") == b"old"
    assert elsewhere(mixed).key_number(elsewhere(mixed).seal(b"new", b"a")) == 3


def test_a_ring_can_change_to_the_other_suite_and_back(home: Path) -> None:
    sealer = elsewhere(home)
    sealed = [sealer.seal(b"1", b"a")]
    for suite in (GUOMI, INTERNATIONAL):
        rotate(home, NOW, suite)
        time.sleep(sealing._LOOK_EVERY_S)
        sealed.append(sealer.seal(b"1", b"a"))

    assert [text[3] for text in sealed] == [code_of(INTERNATIONAL), code_of(GUOMI), code_of(INTERNATIONAL)]
    assert [elsewhere(home).open(text, b"a") for text in sealed] == [b"1"] * 3


def test_reads_and_seals_go_on_while_the_keys_are_rotated(home: Path) -> None:
    sealer, stop, failed, seen = elsewhere(home), Event(), [], set()
    first = sealer.seal(b"first", b"a")

    def serve() -> None:
        while not stop.is_set():
            try:
                sealed = sealer.seal(b"now", b"b")
                seen.add(sealer.key_number(sealed))
                if (sealer.open(sealed, b"b"), sealer.open(first, b"a")) != (b"now", b"first"):
                    failed.append("opened to something else")
            except Exception as error:
                failed.append(repr(error))

    threads = [Thread(target=serve) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        current = rotate(home, NOW, INTERNATIONAL).current
        while current not in seen and not failed:
            pass
    stop.set()
    for thread in threads:
        thread.join()

    assert failed == []
    assert seen == {1, 3, 4, 5, 6, 7}


def test_another_process_seals_with_the_new_key(home: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from gateway.sealing import load_sealer\n"
        "s = load_sealer(Path(sys.argv[1]))\n"
        "for line in sys.stdin: print(s.key_number(s.seal(b'x', b'')), flush=True)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdin
        assert worker.stdout
        answers = []
        for _ in range(2):
            print(file=worker.stdin, flush=True)
            answers.append(worker.stdout.readline().strip())
            rotate(home, NOW, INTERNATIONAL)
            time.sleep(sealing._LOOK_EVERY_S)
        worker.stdin.close()

    assert answers == ["1", "3"]


def test_what_was_sealed_before_there_was_a_ring_still_opens(tmp_path: Path) -> None:
    key = os.urandom(32)
    legacy_path(tmp_path).parent.mkdir()
    legacy_path(tmp_path).write_bytes(key)
    nonces = [os.urandom(12), b"XQ1" + os.urandom(9)]
    sealed = [nonce + AESGCM(key).encrypt(nonce, b"old", b"a") for nonce in nonces]

    create_ring(tmp_path, NOW, INTERNATIONAL)

    sealer = load_sealer(tmp_path)
    assert [sealer.open(text, b"a") for text in sealed] == [b"old", b"old"]
    assert sealer.key_number(sealer.seal(b"new", b"a")) == 1
    assert not legacy_path(tmp_path).exists()


def test_a_kek_that_is_missing_open_to_others_or_another_one_is_named(home: Path) -> None:
    file, content = kek_path(home, 1), kek_path(home, 1).read_text("ascii")

    file.chmod(0o640)
    with pytest.raises(KeyUnusable, match="0640"):
        elsewhere(home)
    file.chmod(0o600)
    file.write_text(f"international {'00' * 32}\n", "ascii")
    with pytest.raises(KeyUnusable, match="does not open data key 1"):
        elsewhere(home)
    file.unlink()
    with pytest.raises(KeyUnusable, match="missing"):
        elsewhere(home)
    file.write_text(content, "ascii")
    file.chmod(0o600)
    assert elsewhere(home).current == 1


def test_a_data_key_cannot_be_passed_off_as_another(home: Path) -> None:
    text = ring_path(home).read_text("utf-8")

    ring_path(home).write_text(text.replace('"use": "list"', '"use": "seal"'), "utf-8")

    with pytest.raises(KeyUnusable):
        elsewhere(home)
