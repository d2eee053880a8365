"""The drop folders: what market supervision, agriculture and customs upload, a few files on the first day, then daily.

A folder misbehaves by what is put into it at once: ``truncated``, ``half_empty`` and ``renamed_column`` a bad file,
``duplicate_page`` a file with the content of one already sent; the other kinds have no meaning for a folder.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from connectors.sandbox import files_companies, files_customs, files_publicity, files_sampling
from connectors.sandbox.dirt import Dirt, Row
from connectors.sandbox.files_layout import FIRST_ROW, cells, spelled, uploaded
from connectors.sandbox.files_workbook import Cell
from connectors.sandbox.happenings import Happening
from connectors.sandbox.service import Service, State
from connectors.sandbox.world import FIRST_DAY, World

FOOTNOTES = ("表格说明：以上数据由各业务处室报送。", "注：带*为必填项。", "填表人：          审核人：")
DONE = ".done"
MOST_MERGED = 40
"""Samples whose cells somebody troubled to merge; merging is slow for people and programs alike."""


@dataclass(frozen=True)
class Upload:
    """One file an agency puts into its folder."""

    name: str
    content: bytes


T = TypeVar("T")
Maker = Callable[[World, Dirt, str | None], list[Upload]]
"""Makes the files of the world's today, misbehaving in the way named."""


def build(world: World, dirt: Dirt, state: State) -> list[Service]:
    """One folder an agency."""
    makers: dict[str, tuple[Maker, ...]] = {
        "market_supervision": (licences, penalties, food_sampling, company_list),
        "agriculture": (produce_sampling,),
        "customs": (import_refusals,),
    }
    return [_drop(agency, made, world, dirt, state) for agency, made in makers.items()]


def _drop(agency: str, makers: Sequence[Maker], world: World, dirt: Dirt, state: State) -> Service:
    endpoint, folder = f"{agency}_drop", state.folder("drop", agency)

    def put_today() -> None:
        _put(makers, world, dirt, folder, state.moods.of(endpoint))

    put_today()
    return Service(
        endpoint,
        agency,
        {"url": folder.relative_to(state.home).as_posix()},
        advance=put_today,
        misbehaved=lambda how: _put(makers, world, dirt, folder, how) if how in BAD_FILES else None,
    )


BAD_FILES = ("truncated", "half_empty", "renamed_column", "duplicate_page")


def _put(makers: Sequence[Maker], world: World, dirt: Dirt, folder: Path, mood: str | None) -> None:
    for maker in makers:
        for upload in maker(world, dirt, mood):
            name, content = upload.name, upload.content
            if mood in BAD_FILES:
                stem, _, ending = name.rpartition(".")
                name = f"{stem}_{mood}.{ending}"
            if mood == "truncated":
                content = content[: len(content) // 2]
            _place(folder, name, content)


def _place(folder: Path, name: str, content: bytes) -> None:
    """Under a name nobody looks at first, then renamed; a mark beside it says that it is whole."""
    growing = folder / f".{name}.part"
    growing.write_bytes(content)
    growing.rename(folder / name)
    (folder / f"{name}{DONE}").touch()


def licences(world: World, dirt: Dirt, mood: str | None) -> list[Upload]:
    """行政许可: the older half of the past in the 2015 form, everything else in the 2018 form."""
    return _publicity(
        world,
        dirt,
        mood,
        "行政许可",
        files_publicity.licences(world),
        files_publicity.licence_2015,
        files_publicity.licence_2018,
    )


def penalties(world: World, dirt: Dirt, mood: str | None) -> list[Upload]:
    """行政处罚, in the same two forms."""
    return _publicity(
        world,
        dirt,
        mood,
        "行政处罚",
        files_publicity.penalties(world),
        files_publicity.penalty_2015,
        files_publicity.penalty_2018,
    )


def _publicity(
    world: World,
    dirt: Dirt,
    mood: str | None,
    title: str,
    events: list[Happening],
    old: Callable[[Happening, Dirt, int], Row],
    new: Callable[[Happening, Dirt, int], Row],
) -> list[Upload]:
    fresh = of_today(world, events)
    half = len(fresh) // 2 if world.day == 0 else 0
    files = []
    for form, make, part in (("2015", old, fresh[:half]), ("2018", new, fresh[half:])):
        if not part:
            continue
        rows = [make(event, dirt.at(title, event.serial), number) for number, event in enumerate(part, start=1)]
        rows = dirt.at(title, form, world.day).duplicated(rows)
        headings = list(rows[0])
        dates = frozenset(
            heading for heading in headings if heading.endswith(("日期", "有效期自", "有效期至", "截止期"))
        )
        table = [cells(row, headings, dates) for row in rows]
        shown = _spoilt([spelled(h, world.rng(title, form, world.day)) for h in headings], mood, "行政相对人名称")
        content = uploaded(f"双公示{title}信息汇总表", shown, _thinned(table, mood), FOOTNOTES)
        files.append(Upload(f"{title}_{form}_{world.today:%Y%m%d}.xlsx", content))
    return files


def food_sampling(world: World, dirt: Dirt, mood: str | None) -> list[Upload]:
    """食品抽检不合格: one sample may take several rows."""
    shops = [entity for entity in World(world.seed, world.size).entities if entity.sectors & {"restaurant", "trader"}]
    samples = _thinned(of_today(world, files_sampling.food_samples(world)), mood)
    rows: list[list[Cell]] = []
    merges: list[str] = []
    for number, event in enumerate(samples, start=1):
        sample = files_sampling.food_rows(event, dirt.at("food", event.serial), number, shops)
        if number % 2 and number < MOST_MERGED:
            merges += files_sampling.food_merges(FIRST_ROW + len(rows), len(sample))
        rows += sample
    headings = _spoilt(files_sampling.FOOD_HEADINGS, mood, "标称生产企业名称")
    content = uploaded("食品安全监督抽检不合格产品信息", headings, rows, FOOTNOTES[:1], merges)
    return [Upload(f"食品抽检不合格_{world.today:%Y%m%d}.xlsx", content)] if rows else []


def company_list(world: World, dirt: Dirt, mood: str | None) -> list[Upload]:
    """企业名单: every entity on the first day, then those that changed."""
    entities = world.entities if world.day == 0 else world.changed_since(world.today)
    rows = [files_companies.company_row(entity, dirt.at("company", entity.number)) for entity in entities]
    headings = _spoilt(files_companies.HEADINGS, mood, "企业名称")
    return [Upload(f"企业名单_{world.today:%Y%m%d}.csv", files_companies.as_csv(headings, _thinned(rows, mood)))]


def produce_sampling(world: World, dirt: Dirt, mood: str | None) -> list[Upload]:
    """农产品监督抽查: a ZIP with a CSV."""
    samples = _thinned(of_today(world, files_sampling.produce_samples(world)), mood)
    rows = [files_sampling.produce_row(event, dirt.at("produce", event.serial)) for event in samples]
    headings = _spoilt(files_sampling.PRODUCE_HEADINGS, mood, "被抽样对象名称")
    content = files_sampling.produce_zip(headings, rows, world.today)
    return [Upload(f"农产品监督抽查_{world.today:%Y%m%d}.zip", content)] if rows else []


def import_refusals(world: World, dirt: Dirt, mood: str | None) -> list[Upload]:
    """未准入境食品: a CSV for odd months, a workbook for even ones; on the first day the last three months."""
    lines = files_customs.numbered(files_customs.refusals(world))
    fresh = {event.serial for event in of_today(world, [event for _, event in lines])}
    months = sorted({files_customs.month_of(event) for _, event in lines if event.serial in fresh})[-3:]
    files = []
    for month in months:
        part = [(n, e) for n, e in lines if e.serial in fresh and files_customs.month_of(e) == month]
        rows = [files_customs.refusal_row(e, dirt.at("refusal", e.serial), n) for n, e in _thinned(part, mood)]
        headings = _spoilt(files_customs.HEADINGS, mood, "进口商信息")
        name = f"未准入境食品_{month:%Y%m}_{world.today:%Y%m%d}"
        if month.month % 2:
            files.append(Upload(f"{name}.csv", files_customs.as_csv(headings, rows)))
        else:
            table = [cells(row, files_customs.HEADINGS) for row in rows]
            files.append(Upload(f"{name}.xlsx", uploaded("未准入境食品信息", headings, table, FOOTNOTES[1:2])))
    return files


def of_today(world: World, events: Sequence[Happening]) -> list[Happening]:
    """What was noted down today; on the first day everything up to it."""
    if world.day == 0:
        return [event for event in events if event.noted_on <= FIRST_DAY]
    return [event for event in events if event.noted_on == FIRST_DAY + timedelta(days=world.day)]


def _thinned(rows: Sequence[T], mood: str | None) -> list[T]:
    return list(rows[: len(rows) * 2 // 5] if mood == "half_empty" else rows)


def _spoilt(headings: Sequence[str], mood: str | None, renamed: str) -> list[str]:
    return [f"{h}（新）" if mood == "renamed_column" and h == renamed else h for h in headings]
