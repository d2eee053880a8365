"""The ``signature`` section of ``source.yml``: what it may say, and of which sources it may demand one."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.errors import Refused
from connectors.registry import sources
from connectors.spec import SIGNATURE_FORMS, Signature, SourceSpec
from connectors.spec_file import load_spec


def loaded(folder: Path, source: str, section: str) -> SourceSpec:
    """A real source with this section added."""
    copy = folder / source
    copy.mkdir(parents=True)
    text = (sources()[source].folder / "source.yml").read_text("utf-8")
    (copy / "source.yml").write_text(f"{text}\n{section}\n", "utf-8")
    return load_spec(copy)


def test_without_the_section_every_form_is_taken_and_none_demanded(tmp_path: Path) -> None:
    spec = loaded(tmp_path, "market_supervision/company_list", "")
    assert spec.signature == Signature(required=False, forms=SIGNATURE_FORMS)


def test_a_source_of_files_may_demand_a_signature_in_chosen_forms(tmp_path: Path) -> None:
    section = "signature: {required: true, forms: [jws, cms]}"
    spec = loaded(tmp_path, "market_supervision/company_list", section)
    assert spec.signature == Signature(required=True, forms=("jws", "cms"))


@pytest.mark.parametrize(
    "section",
    [
        "signature: {forms: [pgp]}",
        "signature: {forms: []}",
        "signature: {required: perhaps}",
        "signature: {demanded: true}",
        "signature: true",
    ],
)
def test_what_the_format_does_not_know_is_named(tmp_path: Path, section: str) -> None:
    with pytest.raises(Refused, match="signature"):
        loaded(tmp_path, "market_supervision/company_list", section)


def test_what_is_fetched_over_a_transport_without_signatures_cannot_demand_one(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="carries no signature"):
        loaded(tmp_path, "credit_platform/redlist", "signature: {required: true}")
