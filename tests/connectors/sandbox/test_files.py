"""The drop folders as a person opening the files finds them, and the golden samples built the same way."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

import pytest
from openpyxl import load_workbook
from openpyxl.worksheet.worksheet import Worksheet

from connectors.sandbox.files_layout import spelled
from connectors.sandbox.files_publicity import NUMBERED_2015, NUMBERED_2018
from connectors.sandbox.serve import Sandbox, start
from tests.golden.build_samples import HERE, SAMPLES


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.suffix != ".done"}


def opened(path: Path) -> Worksheet:
    sheet = load_workbook(path).worksheets[0]
    assert isinstance(sheet, Worksheet)
    return sheet


def test_the_first_day_brings_every_kind_of_file_with_its_mark(sandbox: Sandbox) -> None:
    drop = sandbox.home / "drop"

    market = names(drop / "market_supervision")

    assert market == {
        "企业名单_20260630.csv",
        "行政处罚_2015_20260630.xlsx",
        "行政处罚_2018_20260630.xlsx",
        "行政许可_2015_20260630.xlsx",
        "行政许可_2018_20260630.xlsx",
        "食品抽检不合格_20260630.xlsx",
    }
    assert all((drop / "market_supervision" / f"{name}.done").exists() for name in market)


def test_the_second_code_means_another_number_in_each_form(sandbox: Sandbox) -> None:
    drop = sandbox.home / "drop" / "market_supervision"

    second = {}
    for form in ("2015", "2018"):
        sheet = opened(drop / f"行政许可_{form}_20260630.xlsx")
        headings = [str(cell.value) for cell in sheet[3]]
        place = next(i for i, heading in enumerate(headings) if heading.startswith("行政相对人代码") and "2" in heading)
        second[form] = (headings[place].rstrip(")）")[-5:].lstrip("(（"), str(sheet[4][place].value))

    assert second["2015"][0] == "织机构代码"
    assert second["2018"][0] == "工商注册号"
    assert (second["2015"][1][8], len(second["2018"][1])) == ("-", 15)


@pytest.mark.parametrize("words", [NUMBERED_2015, NUMBERED_2018])
def test_spelling_changes_everything_but_the_words_in_brackets(sandbox: Sandbox, words: tuple[str, ...]) -> None:
    rng = sandbox.world.rng("spelling")

    seen = {spelled(heading, rng) for heading in words for _ in range(50)}

    assert len(seen) > len(words) * 3
    assert {heading.replace("（", "(").split("(")[1].rstrip(")）") for heading in seen} == {
        heading.split("(")[1].rstrip(")") for heading in words
    }


def test_a_food_sample_of_several_items_takes_several_rows(sandbox: Sandbox) -> None:
    sheet = opened(sandbox.home / "drop" / "market_supervision" / "食品抽检不合格_20260630.xlsx")

    rows = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=3)]
    headings, records = rows[0], [row for row in rows[1:] if not str(row[0]).startswith("表格说明")]

    assert headings.count("备注") == 2
    further = [row for row in records if row[0] is None]
    assert further
    assert {sum(cell is not None for cell in row) for row in further} == {1}
    assert "统一社会信用代码" not in headings


def test_the_produce_list_is_gb18030_under_a_gbk_name_without_the_utf8_flag(sandbox: Sandbox) -> None:
    with zipfile.ZipFile(sandbox.home / "drop" / "agriculture" / "农产品监督抽查_20260630.zip") as archive:
        (member,) = archive.infolist()
        rows = list(csv.reader(io.StringIO(archive.read(member).decode("gb18030"))))

    assert member.flag_bits & 0x800 == 0
    assert member.filename.encode("cp437").decode("gbk") == "农产品监督抽查_20260630.csv"
    assert rows[0][:2] == ["抽样编号", "样品名称"]
    assert len({row[0] for row in rows[1:]}) == len(rows) - 1


def test_customs_takes_turns_between_csv_and_workbook(tmp_path: Path) -> None:
    sandbox = start(tmp_path, seed=7, size=300)
    sandbox.stop()

    kinds = {name.split("_")[1]: Path(name).suffix for name in names(tmp_path / "drop" / "customs")}

    assert kinds
    assert all(suffix == (".csv" if int(month[-2:]) % 2 else ".xlsx") for month, suffix in kinds.items())


def test_the_same_seed_gives_the_same_bytes(sandbox: Sandbox, own_sandbox: Sandbox) -> None:
    contents = [
        {path.name: path.read_bytes() for path in (one.home / "drop").rglob("*") if path.is_file()}
        for one in (sandbox, own_sandbox)
    ]

    assert contents[0] == contents[1]


def test_a_day_brings_new_files_and_leaves_the_old_ones(own_sandbox: Sandbox) -> None:
    folder = own_sandbox.home / "drop" / "market_supervision"
    before = names(folder)

    own_sandbox.advance()

    assert names(folder) - before == {
        "企业名单_20260701.csv",
        "行政处罚_2018_20260701.xlsx",
        "行政许可_2018_20260701.xlsx",
        "食品抽检不合格_20260701.xlsx",
    }
    assert before < names(folder)


def test_a_folder_misbehaves_by_bad_files(own_sandbox: Sandbox) -> None:
    folder = own_sandbox.home / "drop" / "market_supervision"
    good = (folder / "企业名单_20260630.csv").read_bytes()

    for how in ("truncated", "renamed_column", "half_empty", "duplicate_page", "timeout"):
        own_sandbox.misbehave("market_supervision_drop", how)

    def bad(how: str) -> bytes:
        return (folder / f"企业名单_20260630_{how}.csv").read_bytes()

    assert bad("truncated") == good[: len(good) // 2]
    assert bad("renamed_column").decode("utf-8-sig").startswith("企业名称（新）,统一社会信用代码")
    assert bad("half_empty").count(b"\n") == 1 + (good.count(b"\n") - 1) * 2 // 5
    assert bad("duplicate_page") == good
    assert not (folder / "企业名单_20260630_timeout.csv").exists()


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_a_golden_sample_is_what_its_rows_say(name: str) -> None:
    """Members are compared, not archives: another release of zlib packs the same content into other bytes."""
    built, stored = SAMPLES[name](), (HERE / name).read_bytes()

    if name.endswith((".xlsx", ".zip")):
        with zipfile.ZipFile(io.BytesIO(built)) as new, zipfile.ZipFile(io.BytesIO(stored)) as old:
            assert {n: new.read(n) for n in new.namelist()} == {n: old.read(n) for n in old.namelist()}
    else:
        assert built == stored
