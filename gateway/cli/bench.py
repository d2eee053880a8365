"""``xinqiao bench``: ours beside the plain way and the limit, in one run, interleaved, medians and ratios."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from gateway.cli.output import print_json
from gateway.settings import Settings
from schemas.records import RECORD_TYPES

_rows = click.option("--rows", default=200_000, show_default=True, type=click.IntRange(200), help="行数 / rows")
_seed = click.option("--seed", default=7, show_default=True, help="随机种子 / seed of the synthetic rows")
_database = click.option(
    "--database",
    "is_postgres",
    default="postgresql",
    show_default=True,
    type=click.Choice(["postgresql", "sqlite"]),
    callback=lambda _context, _option, name: name == "postgresql",
    help="postgresql: XINQIAO_DATABASE_URL 指明的，否则临时启动一个 / the one named there, else one of its own",
)
_known = click.option(
    "--entities", default=2_000, show_default=True, type=click.IntRange(10), help="主体数 / entities in the gateway"
)
_json = click.option("--json", "as_json", is_flag=True, help="最后一行输出 JSON / end with one JSON line")

_record_type = click.option(
    "--record-type",
    default="licence",
    show_default=True,
    type=click.Choice(["licence", "registration"]),
    help="registration 还要更新主体表 / registrations also teach the entity tables",
)

_peers = click.option(
    "--peers",
    type=click.Path(path_type=Path, file_okay=False),
    help="make peers 建立的目录；同一轮中与其他工具对照，仅用于 licence / "
    "the folder made by `make peers`: others, in the same run; licence alone",
)


@click.group("bench")
def bench() -> None:
    """Measure. Rates are of this machine and this moment; ratios travel better. 测速。

    Each prints a limit, measured in the same run. Other tools (--peers) take part where rows are landed, which is all
    that they do.
    """


@bench.command("contract")
@_rows
@_record_type
@_seed
@_json
def contract(rows: int, record_type: str, seed: int, as_json: bool) -> None:
    """Mapping and judging rows, beside plain marshmallow Schema.load(many=True) on the same rows.

    The limit is looking at every cell once: its hash, by the same engine. Time is that of the processor.
    """
    from gateway.bench import contract as judging

    _tell(judging.run(rows, seed, record_type), as_json)


@bench.command("pipeline")
@_rows
@_seed
@_database
@_record_type
@_peers
@_json
@click.pass_obj
def pipeline(
    settings: Settings, rows: int, seed: int, is_postgres: bool, record_type: str, peers: Path | None, as_json: bool
) -> None:
    """GB18030 CSV to landed, audited versions, step by step, beside bare loading of finished rows.

    That is the limit: COPY, on SQLite executemany, into the same table with the same indexes. With --peers others
    merge the same rows.
    """
    from gateway.bench import pipeline as landing

    _tell(landing.run(rows, settings, is_postgres, record_type, seed, _progress(), peers), as_json)


@bench.command("reload")
@_rows
@_seed
@_database
@_record_type
@_peers
@_json
@click.pass_obj
def reload(
    settings: Settings, rows: int, seed: int, is_postgres: bool, record_type: str, peers: Path | None, as_json: bool
) -> None:
    """The same source's rows again, some of them changed, beside their first load. 重复报送。

    The limit is bare loading of finished rows anew. With --peers others get the first load and the 5 % changed too.
    """
    from gateway.bench import reload as again

    _tell(again.run(rows, settings, is_postgres, record_type, seed, _progress(), peers), as_json)


@bench.command("lookup")
@_rows
@_seed
@_json
@click.pass_obj
def lookup(settings: Settings, rows: int, seed: int, as_json: bool) -> None:
    """Look-ups by code in what was landed, as it stands and as of an instant. 按代码查询。

    The limit is a bare query for the same rows over the same connection. There are no peers: those of `pipeline` land
    rows and answer nothing.
    """
    from gateway.bench import scale

    _tell(scale.run_reading("lookup", rows, settings, seed, _progress()), as_json)


@bench.command("feed")
@_rows
@_seed
@_json
@click.pass_obj
def feed(settings: Settings, rows: int, seed: int, as_json: bool) -> None:
    """A feed from end to end, plain and compressed, and pages anywhere in it. 变更流。

    The limit is fetching the payloads alone and throwing them away. There are no peers: those of `pipeline` have no
    feeds.
    """
    from gateway.bench import scale

    _tell(scale.run_reading("feed", rows, settings, seed, _progress()), as_json)


@bench.command("scale")
@click.option("--rows", default=1_000_000, show_default=True, type=click.IntRange(1_000), help="记录数 / records")
@click.option("--entities", default=25_000, show_default=True, type=click.IntRange(100), help="主体数 / entities")
@click.option("--record-type", type=click.Choice(list(RECORD_TYPES)), help="只装载一种 / this one alone")
@click.option(
    "--delivery-rows",
    default=10_000_000,
    show_default=True,
    type=click.IntRange(1_000),
    help="每次交付至多行数 / rows of one delivery at most",
)
@click.option(
    "--at-once",
    type=click.IntRange(1),
    help="同时入库的交付数，默认每核一个 / deliveries landed at a time; one for each core unless said",
)
@_seed
@_json
@click.pass_obj
def scale_(
    settings: Settings,
    rows: int,
    entities: int,
    record_type: str | None,
    delivery_rows: int,
    at_once: int | None,
    seed: int,
    as_json: bool,
) -> None:
    """A city's holdings of all record types: first load, look-ups, feed, in PostgreSQL. 全量规模。

    The limits are bare COPY of finished rows of the same mixture, and those of `lookup` and `feed`. Peers are in
    `pipeline`: they know one record type and would take hours.

    With --record-type and --delivery-rows a single large delivery is set beside one of a million rows, memory and
    price of a row.
    """
    from gateway.bench import scale

    result = scale.run(
        rows,
        entities,
        settings,
        record_type=record_type,
        delivery_rows=delivery_rows,
        at_once=at_once,
        seed=seed,
        told=_progress(),
    )
    _tell(result, as_json)


@bench.command("together")
@click.option(
    "--rows", default=50_000, show_default=True, type=click.IntRange(100), help="每源行数 / rows of each source"
)
@click.option("--sources", default=10, show_default=True, type=click.IntRange(2, 14), help="数据源数 / sources")
@_seed
@_json
@click.pass_obj
def together(settings: Settings, rows: int, sources: int, seed: int, as_json: bool) -> None:
    """Sources of different record types at once, beside the same one after the other, in PostgreSQL. 同时入库。

    That is the limit: with both, every core is busy.
    """
    from gateway.bench import together as landing

    _tell(landing.run(rows, sources, settings, seed, _progress()), as_json)


@bench.command("audit")
@click.option("--entries", default=1_000_000, show_default=True, type=click.IntRange(1_000), help="条目数 / entries")
@_seed
@_database
@_json
@click.pass_obj
def audit(settings: Settings, entries: int, seed: int, is_postgres: bool, as_json: bool) -> None:
    """Questions, proofs and full verification of a large log, beside bare SHA-256 over the same entries.

    The limit of a question is fetching the entries that answer it by their numbers. There are no peers: those of
    `pipeline` keep no log.
    """
    from gateway.bench import audit as auditing

    result = auditing.run(entries, settings, is_postgres, seed, _progress())
    _tell(result, as_json)


@bench.command("access")
@_known
@click.option(
    "--seconds", default=3.0, show_default=True, type=click.FloatRange(0.1, 60), help="每轮秒数 / of each turn"
)
@_seed
@_database
@_json
@click.pass_obj
def access(settings: Settings, entities: int, seconds: float, seed: int, is_postgres: bool, as_json: bool) -> None:
    """Lookups over mutual TLS, with grant, masking and audit entry, beside a fixed body of the same server. 查询。

    That is the limit. There are no peers: those of `pipeline` serve nobody.
    """
    from gateway.bench import access as asking

    result = asking.run(entities, settings, is_postgres, seed, seconds, told=_progress())
    _tell(result, as_json)


@bench.command("deliver")
@_known
@click.option(
    "--seconds", default=10.0, show_default=True, type=click.FloatRange(0.1, 600), help="每种大小的秒数 / of each size"
)
@_seed
@_database
@_json
@click.pass_obj
def deliver(settings: Settings, entities: int, seconds: float, seed: int, is_postgres: bool, as_json: bool) -> None:
    """Deliveries of 1, 10 and 100 rows over mutual TLS, from sending to the receipt with its proof. 小批量报送。

    The limit is a fixed body of the same server over the same connection. There are no peers: those of `pipeline`
    take no deliveries.
    """
    from gateway.bench import deliver as delivering

    _tell(delivering.run(entities, settings, is_postgres, seed, seconds, _progress()), as_json)


@bench.command("resolve")
@click.option("--rows", default=1_000_000, show_default=True, type=click.IntRange(100), help="行数 / rows")
@click.option("--entities", default=900_000, show_default=True, type=click.IntRange(100), help="主体数 / entities")
@_seed
@_database
@_json
@click.pass_obj
def resolve(settings: Settings, rows: int, entities: int, seed: int, is_postgres: bool, as_json: bool) -> None:
    """Finding entities by name and place alone, every answer held against the right one. 主体关联。

    The limit is the database alone joining the same names. There are no peers: those of `pipeline` know no entities.
    """
    from gateway.bench import resolve as resolving

    _tell(resolving.run(rows, entities, settings, is_postgres, seed, _progress()), as_json)


@bench.command("memory")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice(["csv", "xlsx", "rest", "soap", "tables"]),
    help="缺省为全部 / all of them, unless some are named",
)
@click.option("--rows", default=1_000_000, show_default=True, type=click.IntRange(10), help="行数 / rows")
@click.option("--only-decode", is_flag=True, help="不映射、不校验 / neither map nor judge")
@_seed
@_json
def memory(kinds: tuple[str, ...], rows: int, only_decode: bool, seed: int, as_json: bool) -> None:
    """Peak memory of receiving, decoding, mapping and judging a delivery, beside one a tenth its size. 内存占用。

    That is the limit: memory must not grow with what comes.
    """
    from gateway.bench import memory as streaming

    for kind in kinds or streaming.KINDS:
        _tell(streaming.run(kind, rows, seed, _progress(), only_decode=only_decode), as_json)


def _progress() -> Callable[[str], None]:
    progress = Console(stderr=True)
    return lambda step: progress.print(f"· {step}", highlight=False)


def _tell(result: dict[str, Any], as_json: bool) -> None:
    machine = f"{os.cpu_count()} × {platform.machine()}, Python {platform.python_version()}, {platform.system()}"
    table = Table("项目 figure", "值 value", caption=machine, caption_justify="left")
    for name, value in result.items():
        table.add_row(name, f"{value:,}" if isinstance(value, int) else str(value))
    Console().print(table)
    if as_json:
        print_json({**result, "machine": machine})
