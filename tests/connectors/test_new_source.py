"""``xinqiao sources`` and ``new-source``: the listing, and a skeleton that loads and fails until it is real."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from connectors.errors import SourceChanged
from connectors.mapping import map_sheet
from connectors.registry import sources
from connectors.spec_file import load_spec
from gateway.cli.root import cli
from tests.connectors.support import decode, deliver


def run(home: Path, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, list(arguments), env={"XINQIAO_HOME": str(home)})
    return result.exit_code, result.output


def test_every_source_is_listed_as_json(tmp_path: Path) -> None:
    code, output = run(tmp_path, "sources", "--json")

    listed = [json.loads(line) for line in output.splitlines()]
    assert code == 0
    assert [entry["source"] for entry in listed] == list(sources())
    assert {entry["connected"] for entry in listed} == {False}


def test_the_listing_for_people_names_every_transport(tmp_path: Path) -> None:
    code, output = run(tmp_path, "sources")

    assert code == 0
    assert all(transport in output for transport in ("soap", "rest", "files", "tables"))


@pytest.mark.parametrize("transport", ["soap", "rest", "files", "tables"])
def test_a_skeleton_loads_and_its_sample_fails_until_it_is_real(tmp_path: Path, transport: str) -> None:
    asked = ("new-source", "tax/arrears", "--transport", transport, "--record-type", "penalty", "--root", str(tmp_path))

    code, output = run(tmp_path, *asked)

    assert code == 0, output
    spec = load_spec(tmp_path / "connectors" / "agencies" / "tax" / "arrears")
    (sample,) = (tmp_path / "tests" / "golden" / "tax" / "arrears").iterdir()
    with pytest.raises(SourceChanged) as found:
        map_sheet(decode(deliver(spec, (sample.name, sample.read_bytes())), spec), spec)
    assert found.value.details["unexpected"] == ["CHANGE_ME"]


@pytest.mark.parametrize("name", ["arrears", "tax/Arrears", "../x/y", "tax/arrears/more"])
def test_a_name_that_is_no_agency_and_source_is_refused(tmp_path: Path, name: str) -> None:
    code, output = run(
        tmp_path, "new-source", name, "--transport", "rest", "--record-type", "penalty", "--root", str(tmp_path)
    )

    assert code == 1
    assert "must look like agency/source" in output
    assert not (tmp_path / "connectors").exists()


def test_a_folder_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "connectors" / "agencies" / "tax" / "arrears"
    folder.mkdir(parents=True)
    (folder / "source.yml").write_text("mine")

    code, _ = run(
        tmp_path,
        "new-source",
        "tax/arrears",
        "--transport",
        "rest",
        "--record-type",
        "penalty",
        "--root",
        str(tmp_path),
    )

    assert (code, (folder / "source.yml").read_text()) == (1, "mine")
