"""The record of the public suite: complete, and each difference explained by an explanation that fits and is needed."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from certs.authority import create, issue_server
from tests.limbo.bounded import judge_bounded
from tests.limbo.judge import FAILURE, HANG, NO_SERVER_NAME, SUCCESS, Outcome, judge
from tests.limbo.record import (
    AGREE,
    VERDICTS,
    Result,
    ids_digest,
    read_explanations,
    read_results,
    verdict_of,
    write_results,
)

SUITE, EXPLAINED = read_explanations()


def test_every_case_of_the_suite_is_in_the_record_once() -> None:
    ids = [result.id for result in read_results()]

    assert (len(ids), len(set(ids)), ids_digest(ids)) == (SUITE.cases, SUITE.cases, SUITE.ids_sha256)


def test_every_difference_is_explained_as_the_explanations_have_it_today() -> None:
    wrong = [r for r in read_results() if r.verdict != verdict_of(r, EXPLAINED) or r.ours not in (SUCCESS, FAILURE)]

    assert wrong == []


def test_every_explanation_is_needed_and_gives_a_reason() -> None:
    used = Counter(result.verdict for result in read_results())

    assert set(used) == {AGREE, *(explanation.key for explanation in EXPLAINED)}
    assert [e.key for e in EXPLAINED if e.verdict not in VERDICTS or len(e.because) < 60] == []


def test_nothing_is_explained_away_that_we_accept_and_the_suite_refuses_for_its_path() -> None:
    """Only what is asked of web servers is beside the point."""
    assert {e.verdict for e in EXPLAINED if e.ours == SUCCESS} == {"not_applicable"}
    laxer = [r for r in read_results() if (r.expected, r.ours) == (FAILURE, SUCCESS)]
    assert {r.id.split("::")[0] for r in laxer if r.why != NO_SERVER_NAME} == {"webpki"}


def test_a_difference_that_nobody_explained_would_be_seen() -> None:
    (agreed, *_) = [r for r in read_results() if r.verdict == AGREE and r.expected == FAILURE]

    assert verdict_of(replace(agreed, ours=SUCCESS, why=""), EXPLAINED) == "unexplained"


def test_a_record_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    results = [
        Result("b::c", SUCCESS, FAILURE, "path-depth", "chain: too deep"),
        Result("a", SUCCESS, SUCCESS, AGREE, ""),
    ]

    write_results(results, tmp_path / "results.tsv")

    assert read_results(tmp_path / "results.tsv") == results[::-1]


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A case as the suite writes them, made of our own certificates."""
    now = datetime.now(UTC).replace(microsecond=0)
    authority = create(tmp_path_factory.mktemp("limbo"), now)
    issued = issue_server(authority, ["gateway.example"], now)
    pem = [c.public_bytes(Encoding.PEM).decode() for c in (issued.certificate, authority.certificate, authority.root)]
    return {
        "id": "ours", "features": [], "validation_kind": "SERVER", "validation_time": now.isoformat(),
        "peer_certificate": pem[0], "untrusted_intermediates": pem[1:2], "trusted_certs": pem[2:],
        "expected_peer_name": {"kind": "DNS", "value": "gateway.example"}, "max_chain_depth": None, "crls": [],
    }  # fmt: skip


def test_a_sound_case_is_accepted_and_each_kind_of_fault_refused_at_its_step(case: dict[str, Any]) -> None:
    later = (datetime.fromisoformat(case["validation_time"]) + timedelta(days=400)).isoformat()

    assert judge(case) == Outcome(SUCCESS)
    assert judge(case | {"validation_time": later}).why == "time"
    assert judge(case | {"untrusted_intermediates": []}).why.startswith("chain")
    assert judge(case | {"validation_kind": "CLIENT"}).why == "profile: extended_key_usage"
    assert judge(case | {"crls": ["-----BEGIN X509 CRL-----"]}).why.startswith("revocation: unknown")
    assert judge(case | {"expected_peer_name": {"kind": "DNS", "value": "else.example"}}).why == NO_SERVER_NAME


def test_a_case_that_takes_too_long_is_a_hang(case: dict[str, Any]) -> None:
    assert judge_bounded(case) == Outcome(SUCCESS)
    assert judge_bounded(case, patience=0.01).ours == HANG
