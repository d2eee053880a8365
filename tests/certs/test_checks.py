"""Every rule against the certificate that just keeps it and the one that just breaks it."""

from __future__ import annotations

import re

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certs.checks import CHECKS, violations
from tests.certs.build_files import FILES, build, place_of

# What a file is judged for, where its name is not the rule's.
RULES = {
    "not_yet_valid_bad": "validity",
    "signature_algorithm_pss_bad": "signature_algorithm",
    "key_usage_overreaching_bad": "key_usage",
    "extended_key_usage_any_bad": "extended_key_usage",
    "extended_key_usage_missing_bad": "extended_key_usage",
    "subject_alternative_name_missing_bad": "subject_alternative_name",
    "exchange_name_missing_bad": "exchange_name",
    "authority_not_critical_bad": "basic_constraints",
    "authority_key_usage_bad": "key_usage",
}
NAMES = sorted(path.stem for path in FILES.glob("*.pem"))


def read(name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((FILES / f"{name}.pem").read_bytes())


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith("_good")])
def test_a_certificate_that_just_keeps_a_rule_breaks_none(name: str) -> None:
    assert violations(read(name), place_of(name)) == []


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith("_bad")])
def test_a_certificate_that_just_breaks_a_rule_breaks_that_one_only(name: str) -> None:
    found = violations(read(name), place_of(name))

    assert [violation.rule for violation in found] == [RULES.get(name, name.removesuffix("_bad"))]


def test_every_rule_has_a_good_and_a_bad_file() -> None:
    rules = {check.__name__ for check in CHECKS}

    assert {name.removesuffix("_good") for name in NAMES if name.endswith("_good")} == rules
    assert {RULES.get(name, name.removesuffix("_bad")) for name in NAMES if name.endswith("_bad")} == rules


def test_every_rule_quotes_the_clause_it_reports() -> None:
    for name in [name for name in NAMES if name.endswith("_bad")]:
        (found,) = violations(read(name), place_of(name))
        (check,) = [check for check in CHECKS if check.__name__ == found.rule]

        assert found.clause in re.sub(r"\s+", " ", check.__doc__ or "")


def test_the_files_are_what_their_builder_makes() -> None:
    built = {name: made.public_bytes(Encoding.PEM) for name, made in build().items()}

    assert {name: (FILES / f"{name}.pem").read_bytes() for name in NAMES} == built
