"""Signed notes and checkpoints, held to what other implementations have published."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.audit.merkle import EMPTY_ROOT
from gateway.audit.notes import NoteError, Signer, open_checkpoint, open_note, parse_vkey, sign_checkpoint

# The example in the documentation of the Go implementation, golang.org/x/mod/sumdb/note.
GO_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
GO_SUMDB_VKEY = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer("log.example/test", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))


def test_a_note_of_another_implementation_is_opened() -> None:
    text = open_note(GO_NOTE, parse_vkey(GO_VKEY))

    assert text == GO_NOTE[: GO_NOTE.index("\n\n") + 1]


def test_vkeys_of_other_logs_are_read_and_written_back() -> None:
    assert parse_vkey(GO_SUMDB_VKEY).text() == GO_SUMDB_VKEY
    assert parse_vkey(GO_VKEY + "\n").text() == GO_VKEY


@pytest.mark.parametrize(
    ("vkey", "complaint"),
    [
        ("PeterNeumann", "expected name"),
        (GO_VKEY.replace("c74f20a3", "c74f20a4"), "expected id c74f20a3"),
        (GO_VKEY.replace("+AR", "+Ah"), "expected an Ed25519 key"),
        (GO_VKEY[:-4], "expected an Ed25519 key"),
        (GO_VKEY + "!", "not base64"),
    ],
)
def test_a_vkey_that_is_none_is_refused(vkey: str, complaint: str) -> None:
    with pytest.raises(NoteError, match=complaint):
        parse_vkey(vkey)


def test_an_altered_note_is_refused() -> None:
    with pytest.raises(NoteError, match="the signature of PeterNeumann is false"):
        open_note(GO_NOTE.replace("answer", "Answer"), parse_vkey(GO_VKEY))
    with pytest.raises(NoteError, match="not signed by"):
        open_note(GO_NOTE, parse_vkey(GO_SUMDB_VKEY))
    with pytest.raises(NoteError, match="no signature lines"):
        open_note("text\n", parse_vkey(GO_VKEY))
    with pytest.raises(NoteError, match="not a signature line"):
        open_note(GO_NOTE + "anything\n", parse_vkey(GO_SUMDB_VKEY))


def test_a_checkpoint_is_three_lines_and_a_signature(signer: Signer) -> None:
    checkpoint = sign_checkpoint(signer, 0, EMPTY_ROOT)

    text, signature = checkpoint.note.split("\n\n")
    assert text == "log.example/test\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    assert signature.startswith("— log.example/test ")
    assert open_checkpoint(checkpoint.note, signer.verifier()) == checkpoint


def test_signatures_of_witnesses_are_left_alone(signer: Signer) -> None:
    other = Signer("witness.example", Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))))
    checkpoint = sign_checkpoint(signer, 7, EMPTY_ROOT)
    witnessed = checkpoint.note + other.sign(checkpoint.note.split("\n\n")[0] + "\n").split("\n\n")[1]

    opened = open_checkpoint(witnessed, signer.verifier())

    assert (opened.size, opened.root) == (7, EMPTY_ROOT)
    assert open_note(witnessed, other.verifier()) == open_note(witnessed, signer.verifier())


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("log.example/test\n7\n", "expected origin, size and root"),
        ("log.example/test\n07\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n", "expected origin, size and root"),
        ("log.example/test\n-7\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n", "expected origin, size and root"),
        ("log.example/other\n7\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n", "checkpoint of another log"),
        ("log.example/test\n7\n47DEQg==\n", "expected 32 bytes, got 4"),
    ],
)
def test_a_signed_text_that_is_no_checkpoint_is_refused(signer: Signer, text: str, complaint: str) -> None:
    with pytest.raises(NoteError, match=complaint):
        open_checkpoint(signer.sign(text), signer.verifier())


def test_a_text_without_its_last_newline_is_not_signed(signer: Signer) -> None:
    with pytest.raises(NoteError, match="ends in a newline"):
        signer.sign("text")
