"""Expectations: what a source promises of each delivery, held against it before anything lands."""

from __future__ import annotations

from connectors.delivery import Finding
from connectors.errors import ExpectationFailed
from connectors.spec import SourceSpec
from gateway.tally import Tally


def check_delivery(tally: Tally, spec: SourceSpec) -> tuple[Finding, ...]:
    """Too few rows, or too small a share of good ones, stop the delivery; too many rows are a finding.

    Raises:
        ExpectationFailed: names what was expected and what came.
    """
    expect, rows = spec.expect, tally.received
    if rows < expect.rows_min:
        raise ExpectationFailed(
            f"{spec.source}：本次只有 {rows} 行，约定至少 {expect.rows_min} 行；未入库，原始文件已保留，请核对后重报",
            f"{spec.source}: {rows} rows, at least {expect.rows_min} expected; nothing landed, the bytes are kept; "
            "check and deliver again",
            source=spec.source,
            expectation="rows.min",
            expected=expect.rows_min,
            got=rows,
        )
    if rows:
        for name, zh, least, share in _shares(tally, spec):
            if share < least:
                raise _too_small(spec.source, name, zh, least, share)
    if expect.rows_max is None or rows <= expect.rows_max:
        return ()
    return (
        Finding(
            "rows.more_than_expected",
            None,
            rows,
            None,
            f"本次 {rows} 行，多于约定的 {expect.rows_max} 行",
            f"{rows} rows, more than the {expect.rows_max} expected",
        ),
    )


def check_withdrawals(withdrawn: int, stood: int, spec: SourceSpec) -> None:
    """An empty or half-empty snapshot withdraws nothing: checked before the transaction commits.

    Args:
        withdrawn: records of the source that the snapshot does not name any more.
        stood: records of the source that stood before it.

    Raises:
        ExpectationFailed: less than ``keeps`` of the records standing before would stand after.
    """
    if not stood:
        return
    kept = 1 - withdrawn / stood
    if kept < spec.expect.keeps:
        raise _too_small(spec.source, "keeps", "现有记录仍在快照中的比例", spec.expect.keeps, kept)


def _shares(tally: Tally, spec: SourceSpec) -> list[tuple[str, str, float, float]]:
    expect = spec.expect
    shares = [("accepted", "合格行比例", expect.accepted, tally.accepted / tally.received)]
    if tally.code_sent:
        valid = 1 - tally.code_bad / tally.code_sent
        shares.append(("valid_uscc", "统一社会信用代码有效率", expect.valid_uscc, valid))
    for field, least in expect.filled.items():
        shares.append((f"filled.{field}", f"“{field}”填写率", least, tally.filled.get(field, 0) / tally.received))
    return shares


def _too_small(source: str, name: str, zh: str, least: float, share: float) -> ExpectationFailed:
    return ExpectationFailed(
        f"{source}：{zh}为 {share:.1%}，约定不低于 {least:.1%}；未入库，原始文件已保留，"
        "请核对是否漏报、错列或被表格软件改写",
        f"{source}: {name} is {share:.1%}, at least {least:.1%} expected; nothing landed, the bytes are kept; "
        "check for missing rows, a moved column or a spreadsheet that rewrote it",
        source=source,
        expectation=name,
        expected=least,
        got=round(share, 4),
    )
