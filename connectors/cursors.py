"""Going on from where the last delivery ended: times of change as agencies write them.

A cursor is kept as ISO 8601 with the offset of China (``2026-06-30T08:00:00+08:00``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from connectors.errors import SourceChanged
from connectors.spec import Cursor, SourceSpec
from schemas.china_time import CHINA

_EPOCH_MS = re.compile(r"[0-9]{13}")
_TIME = re.compile(
    r"([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})(?:[T ]([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:\.[0-9]+)?)?"
    r"\s*(Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
# A typing error like 2062 must not make the gateway deaf to everything before it.
_TOLERATED_AHEAD = timedelta(days=1)


def read_time(text: str) -> datetime | None:
    """A time as agencies write it, with offset; local times are China's. None if it is not one.

    >>> read_time("2023/5/1 8:00"), read_time("1682899200000")
    ... # doctest: +NORMALIZE_WHITESPACE
    (datetime.datetime(2023, 5, 1, 8, 0, tzinfo=datetime.timezone(datetime.timedelta(seconds=28800))),
     datetime.datetime(2023, 5, 1, 8, 0, tzinfo=datetime.timezone(datetime.timedelta(seconds=28800))))
    """
    text = text.strip()
    if _EPOCH_MS.fullmatch(text):
        return datetime.fromtimestamp(int(text) // 1000, CHINA)
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    numbers = [int(part) for part in match.groups(default="0")[:6]]
    try:
        moment = datetime(numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5])
    except ValueError:
        return None
    offset = match[7]
    if offset is None:
        return moment.replace(tzinfo=CHINA)
    if offset != "Z" and ":" not in offset:
        offset = f"{offset[:3]}:{offset[3:]}"
    return datetime.fromisoformat(f"{moment.isoformat()}{'+00:00' if offset == 'Z' else offset}").astimezone(CHINA)


def asked_from(rule: Cursor, cursor: str | None) -> datetime:
    """The time from which to ask: the last one seen less the overlap, or the declared start."""
    if cursor is None:
        return datetime.fromisoformat(rule.start).replace(tzinfo=CHINA)
    return datetime.fromisoformat(cursor) - timedelta(seconds=rule.overlap_seconds)


class Reached:
    """How far the rows of a delivery reach in time; told page by page, so that nobody has to keep the times of all."""

    def __init__(self, spec: SourceSpec, now: datetime) -> None:
        self._spec, self._now = spec, now
        self._rows = 0
        self._is_readable = False
        self._latest: datetime | None = None

    def add(self, times: Iterable[str | None]) -> None:
        """Times of change of further rows, as sent; None for a row that does not say."""
        sent = list(times)
        self._rows += len(sent)
        read = [moment for text in {text for text in sent if text} if (moment := read_time(text)) is not None]
        self._is_readable |= bool(read)
        believable = [moment for moment in read if moment <= self._now + _TOLERATED_AHEAD]
        self._latest = max((moment for moment in (*believable, self._latest) if moment is not None), default=None)

    def next_cursor(self, cursor: str | None) -> str | None:
        """The cursor after all these rows; never earlier than the one before.

        Raises:
            SourceChanged: there are rows and none of them says when it changed, so the column has moved.
        """
        rule = self._spec.cursor
        if rule is None:
            return None
        if self._rows and not self._is_readable:
            raise _moved(self._spec.source, rule.heading, self._rows)
        before = datetime.fromisoformat(cursor) if cursor else None
        reached = max((moment for moment in (self._latest, before) if moment is not None), default=None)
        return reached.astimezone(CHINA).isoformat() if reached else None


def _moved(source: str, heading: str, rows: int) -> SourceChanged:
    return SourceChanged(
        f"{source}：{rows} 行都没有可读的变更时间“{heading}”，无法确定下次从何处续取；未入库，请与报送单位核对该列。",
        f"{source}: none of {rows} rows has a readable time of change in {heading!r}, so the next run would not know "
        "where to go on; nothing landed, ask the agency about that column.",
        source=source,
        missing=[heading],
        unexpected=[],
    )
