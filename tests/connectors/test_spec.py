"""The documented format of source.yml loads, and each kind of mistake is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from connectors.errors import Refused
from connectors.registry import source, sources
from connectors.spec_file import load_spec

DOCS = Path(__file__).parents[2] / "docs" / "sources.md"
EXAMPLE = re.findall(r"```yaml\n(.*?)```", DOCS.read_text("utf-8"), re.S)[0]


def write(root: Path, text: str) -> Path:
    folder = root / "market_supervision" / "penalties"
    folder.mkdir(parents=True)
    (folder / "source.yml").write_text(text, "utf-8")
    return folder


def test_the_example_of_the_documentation_loads(tmp_path: Path) -> None:
    spec = load_spec(write(tmp_path, EXAMPLE))

    assert (spec.source, spec.agency, spec.record_type) == (
        "market_supervision/penalties",
        "market_supervision",
        "penalty",
    )
    assert [form.name for form in spec.forms] == ["2018", "2015"]
    kinds = next(column for column in spec.forms[1].columns if column.field == "penalty_kind_codes")
    assert (kinds.headings, kinds.also, kinds.lookup) == (("处罚类别1",), (("处罚类别2",),), "penalty_kind")
    assert spec.expect.filled == {"subject_name": 0.99}


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("record_type: penalty", "record_typ: penalty", "record_typ: Unknown field."),
        ('code: "1"', "code: 1", "lookups.penalty_kind.value.0.code: Not a valid string."),
        ("delivery: changes", "delivery: sometimes", "delivery: Must be one of: snapshot, changes."),
        ("lookup: subject_kind", "lookup: kind", "forms.2018.subject_kind_code: no lookup named 'kind'"),
        ("ready: done", "ready: soon", "request.ready: Must be one of: stable, done."),
        ("share_condition: 用于行政管理和信用监管", "", "catalogue.share_condition: required because share_type"),
        ("delivery: changes", "delivery: changes\ndelivery: changes", "key 'delivery' is there twice"),
        ("words: [罚款, 罚金]", "words: [罚款, 警告]", "lookups.penalty_kind: words given twice: ['警告']"),
    ],
)
def test_a_mistake_names_file_and_key(tmp_path: Path, old: str, new: str, named: str) -> None:
    folder = write(tmp_path, EXAMPLE.replace(old, new, 1))

    with pytest.raises(Refused) as refused:
        load_spec(folder)

    assert named in refused.value.en
    assert str(folder / "source.yml") in refused.value.en


def test_an_unknown_source_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    write(tmp_path, EXAMPLE)

    with pytest.raises(Refused, match="there are: market_supervision/penalties"):
        source("market_supervision/penalty", tmp_path)
    assert list(sources(tmp_path)) == ["market_supervision/penalties"]
