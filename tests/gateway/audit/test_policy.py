"""Cosignatures of witnesses and policies about them, as C2SP writes them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.audit.cosignatures import Cosigner, cosignatures, good_lines
from gateway.audit.merkle import EMPTY_ROOT
from gateway.audit.notes import WITNESS_KEY, Checkpoint, NoteError, Signer, open_checkpoint, parse_vkey, sign_checkpoint
from gateway.audit.policy import PolicyError, at_least, parse_policy

NOW = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
LOG = Signer("log.example/test", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
ONE, TWO, THREE = (Cosigner(f"w{n}.example", Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32)) for n in (1, 2, 3))
KEYS = [witness.verifier() for witness in (ONE, TWO, THREE)]


def checkpoint(*cosigners: Cosigner) -> Checkpoint:
    bare = sign_checkpoint(LOG, 0, EMPTY_ROOT)
    text = bare.note[: bare.note.index("\n\n") + 1]
    return Checkpoint(bare.origin, 0, EMPTY_ROOT, bare.note + "".join(one.cosign(text, NOW) for one in cosigners))


def test_a_cosigned_checkpoint_is_still_the_logs() -> None:
    note = checkpoint(ONE, TWO).note

    assert open_checkpoint(note, LOG.verifier()).size == 0
    assert cosignatures(note, KEYS) == {KEYS[0]: NOW, KEYS[1]: NOW}


def test_the_example_of_the_specification_is_read() -> None:
    # c2sp.org/tlog-cosignature: the time in its example line, made with a key that is not published.
    line = (
        "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5"
        "nNo0xUe+mbIUBkBIfZ+qnA==\n"
    )

    assert good_lines("text\n", line, KEYS[0]) == ""


def test_a_witness_key_is_written_and_read_with_its_own_type() -> None:
    assert parse_vkey(KEYS[0].text(), WITNESS_KEY) == KEYS[0]
    with pytest.raises(NoteError, match="of type 01"):
        parse_vkey(KEYS[0].text())


def test_a_false_cosignature_is_refused_and_not_taken_over() -> None:
    note, other = checkpoint(ONE).note, checkpoint().note.replace("\n0\n", "\n1\n")
    line = note.splitlines(keepends=True)[-1]

    with pytest.raises(NoteError, match=r"the signature of w1\.example is false"):
        cosignatures(other + line, KEYS)
    text = note[: note.index("\n\n") + 1]
    assert good_lines(text, line, KEYS[0]) == line
    for answer in ("", "nonsense\n", line.replace("w1", "w2"), line[:-5] + "AAA=\n"):
        assert good_lines(text, answer, KEYS[0]) == ""
    assert good_lines(text + "x\n", line, KEYS[0]) == ""


def test_k_of_n_must_have_cosigned() -> None:
    policy = at_least(2, KEYS)

    assert policy.demand(checkpoint(ONE, THREE).note) == ("w1", "w3")
    with pytest.raises(NoteError, match="the quorum all is not met: cosigned by w1"):
        policy.demand(checkpoint(ONE, ONE).note)
    for required in (0, 4):
        with pytest.raises(PolicyError, match="between 1 and 3"):
            at_least(required, KEYS)


def test_groups_nest() -> None:
    policy = parse_policy(
        f"# who watches\n\nlog {LOG.verifier().text()} https://log.example\n"
        f"witness a {KEYS[0].text()}\nwitness b {KEYS[1].text()}\n\twitness  c {KEYS[2].text()} https://c.example/w \n"
        "group ab any a b\ngroup both all ab c\nquorum both\n"
    )

    assert policy.demand(checkpoint(TWO, THREE).note) == ("b", "c")
    assert policy.witnesses["c"].url == "https://c.example/w"
    assert not policy.is_met_by(KEYS[:2])
    assert parse_policy("quorum none\n").demand(checkpoint().note) == ()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "expected a line `quorum <name>`"),
        ("quorum none\nquorum none\n", "line 2: a second quorum line"),
        ("quorum a\n", "line 1: not defined before: a"),
        ("witness none {0}\n", "line 1: the name 'none' is taken"),
        ("witness a {0}\nwitness b {0}\n", "line 2: the same witness key twice"),
        ("witness a {0}\nwitness a {1}\n", "line 2: the name 'a' is taken"),
        ("witness a {log}\n", "line 1: vkey log.example/test: expected an Ed25519 key of type 04"),
        ("witness a {0}\ngroup g 2 a\n", "line 2: expected all, any or a number from 1 to 1, got '2'"),
        ("witness a {0}\ngroup g 0 a\n", "line 2: expected all, any or a number from 1 to 1, got '0'"),
        ("witness a {0}\ngroup g all a b\n", "line 2: not defined before: b"),
        ("witness a {0}\ngroup g all a\ngroup h all a\n", "line 3: a name is a member at most once"),
        ("group g all\n", "line 1: expected `group <name> all|any|<k> <name>...`"),
        ("log {log}\nlog {log}\n", "line 2: the same log key twice"),
        ("wittness a {0}\n", "line 1: expected one of log, witness, group, quorum, got 'wittness'"),
        ("witness a\x0b {0}\n", "line 1: control characters are not allowed"),
    ],
)
def test_a_policy_that_is_none_names_the_line(text: str, complaint: str) -> None:
    filled = text.format(KEYS[0].text(), KEYS[1].text(), log=LOG.verifier().text())

    with pytest.raises(PolicyError) as raised:
        parse_policy(filled)

    assert str(raised.value).startswith(complaint)
