"""Verifying a log from a copy of its files, and what cannot be altered in them unseen."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from click.testing import CliRunner, Result

from gateway.audit.files import log_folder
from gateway.audit.keys import load_verifier, vkey_path
from gateway.audit.log import append, current_checkpoint, seal
from gateway.audit.merkle import ProofError
from gateway.audit.static_log import log_in_folder, verify_static
from gateway.cli.audit import audit
from gateway.settings import Settings
from gateway.store import Store
from tests.conftest import NOW


def act(store: Store, count: int) -> None:
    with store.write() as conn:
        for number in range(count):
            append(conn, "run.failed", "xinqiao", {"number": number}, NOW)
    seal(store, NOW)


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    act(sqlite_store, 300)
    return sqlite_store


@pytest.fixture
def copy(store: Store, tmp_path: Path) -> Path:
    """The static files as anybody could have them."""
    return Path(shutil.copytree(log_folder(store.settings), tmp_path / "copy"))


def note(store: Store) -> str:
    checkpoint = current_checkpoint(store)
    assert checkpoint is not None
    return checkpoint.note


def test_a_copy_verifies_with_nothing_but_the_key(store: Store, copy: Path) -> None:
    report = verify_static(log_in_folder(copy), load_verifier(store.settings))

    assert (report.size, report.entries, report.earlier_size) == (report.size, report.size, None)
    assert report.size > 300


def test_it_begins_with_what_was_kept_of_it(store: Store) -> None:
    kept = note(store)
    act(store, 250)

    report = verify_static(log_in_folder(log_folder(store.settings)), load_verifier(store.settings), earlier=kept)

    assert report.earlier_size == report.size - 250


def test_a_partial_tile_that_has_been_tidied_away_is_found_in_the_full_one(store: Store, copy: Path) -> None:
    act(store, 250)
    for path in (log_folder(store.settings) / "tile").rglob("*"):
        if path.is_file() and ".p" not in path.parts[-2]:
            target = copy / path.relative_to(log_folder(store.settings))
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    shutil.rmtree(copy / "tile" / "0" / "001.p")

    assert verify_static(log_in_folder(copy), load_verifier(store.settings)).size > 300


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("tile/0/000", "checkpoint: the tiles give root|entry 0: its hash"),
        ("tile/entries/000", "entry 0: its hash is not the one in the tree"),
        ("tile/1/000.p/1", "tile/1/000.p/1: it differs from what the leaves give"),
    ],
)
def test_an_altered_file_is_named(store: Store, copy: Path, path: str, complaint: str) -> None:
    content = bytearray((copy / path).read_bytes())
    content[5] ^= 1
    (copy / path).write_bytes(content)

    with pytest.raises(ProofError, match=complaint):
        verify_static(log_in_folder(copy), load_verifier(store.settings))


@pytest.mark.parametrize("path", ["checkpoint", "tile/0/000", "tile/entries/000", "tile/1/000.p/1"])
def test_a_missing_file_is_named(store: Store, copy: Path, path: str) -> None:
    (copy / path).unlink()

    with pytest.raises(ProofError, match=f"{path}: is missing"):
        verify_static(log_in_folder(copy), load_verifier(store.settings))


def test_a_shorter_log_does_not_begin_with_what_was_kept(store: Store, copy: Path) -> None:
    act(store, 1)

    with pytest.raises(ProofError, match="earlier checkpoint: it covers"):
        verify_static(log_in_folder(copy), load_verifier(store.settings), earlier=note(store))


@pytest.fixture
def served(copy: Path) -> Iterator[str]:
    """The copy behind a web server that knows nothing of logs."""
    handler = partial(QuietHandler, directory=str(copy))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        pass


def run(settings: Settings, *arguments: str) -> Result:
    return CliRunner().invoke(audit, ["verify-log", *arguments], obj=settings)


def test_any_web_server_and_an_empty_home_are_enough(store: Store, served: str, tmp_path: Path) -> None:
    elsewhere = Settings(home=tmp_path / "nothing here")
    kept, vkey = tmp_path / "kept", vkey_path(store.settings)
    kept.write_text(note(store), "utf-8")

    result = run(elsewhere, served, "--vkey", str(vkey), "--against", str(kept), "--json")

    report = json.loads(result.stdout)
    assert (result.exit_code, report["ok"], report["entries"]) == (0, True, report["size"])


def test_an_altered_log_ends_with_one(store: Store, copy: Path, served: str) -> None:
    (copy / "tile/0/000").write_bytes(bytes(8192))

    by_url, by_folder = run(store.settings, served, "--json"), run(store.settings, str(copy))

    assert (by_url.exit_code, by_folder.exit_code) == (1, 1)
    assert json.loads(by_url.stdout)["problem"].startswith("entry 0: ")
    assert by_folder.stdout.startswith("日志不符 / the log is not as it says: entry 0: ")


def test_proofs_from_the_command_line_verify_there(store: Store, tmp_path: Path) -> None:
    kept, proof, beginning = tmp_path / "kept", tmp_path / "proof", tmp_path / "beginning"
    kept.write_text(note(store), "utf-8")
    act(store, 3)

    def ask(*arguments: str) -> Result:
        return CliRunner().invoke(audit, list(arguments), obj=store.settings)

    proof.write_text(ask("prove", "7").stdout, "utf-8")
    beginning.write_text(ask("consistency", note(store).split("\n")[1]).stdout, "utf-8")

    assert json.loads(ask("verify-receipt", str(proof), "--json").stdout)["index"] == 7
    wrong = ask("verify-consistency", str(beginning), "--against", str(kept))
    assert (wrong.exit_code, "the proof is from" in wrong.stdout) == (1, True)
    beginning.write_text(ask("consistency", kept.read_text("utf-8").split("\n")[1]).stdout, "utf-8")
    assert ask("verify-consistency", str(beginning), "--against", str(kept)).exit_code == 0
    assert ask("prove", "999999").exit_code != 0
