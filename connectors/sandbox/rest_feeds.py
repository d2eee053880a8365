"""The REST feeds: whose rows, which cells may get dirty, and how rows are put into pages. Knows nothing of HTTP."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from connectors.sandbox import rest_agriculture, rest_credit, rest_health, rest_market
from connectors.sandbox.dirt import Dirt
from connectors.sandbox.world import World

RowTree = dict[str, Any]
"""One row with nested objects, as JSON has it."""


@dataclass(frozen=True)
class Feed:
    """One list an agency offers.

    Attributes:
        name: for draws of dirt.
        rows: clean rows of a world, nested as they are sent.
        key: field that names a record.
        subject: dotted path of the entity's name; the column that ``renamed_column`` renames.
        code: dotted path of the USCC.
        legacy: dotted path of the legacy number, used where the USCC column gets the wrong one.
        words: fields of code words.
        changed: field holding the time of change, in a form that sorts as text; empty for snapshots.
        as_text: fields sent as JSON inside the JSON.
    """

    name: str
    rows: Callable[[World], list[dict[str, object]]]
    key: str
    subject: str
    code: str
    legacy: str = ""
    words: tuple[str, ...] = ()
    changed: str = ""
    as_text: tuple[str, ...] = ()


ABNORMAL = Feed(
    "abnormal", rest_market.abnormal_listings, "busexclist", "ent.entname", "ent.uniscid", "ent.regno", ("specause_cn",)
)
COMPLAINTS = Feed(
    "complaints",
    rest_market.complaints,
    "complaint_no",
    "respondent.name",
    "respondent.uniscid",
    words=("type",),
    changed="update_time",
    as_text=("respondent",),
)
CERTIFICATES = Feed(
    "certificates",
    rest_agriculture.produce_certificates,
    "zsbh",
    "zt.mc",
    "zt.tyshxydm",
    words=("cnyj",),
    changed="gxsj",
)
TRACE = Feed(
    "trace",
    rest_agriculture.trace_events,
    "eventId",
    "actor.name",
    "actor.uscc",
    words=("eventType",),
    changed="recordTime",
)
FOODBORNE = Feed("foodborne", rest_health.foodborne_events, "reportId", "place.name", "place.uscc", changed="updatedAt")
BLACKLIST = Feed("blacklist", rest_credit.blacklist, "rdwh", "jgqc", "tyshxydm", "gszch", ("dqzt",))
REDLIST = Feed("redlist", rest_credit.redlist, "rdwh", "jgqc", "tyshxydm", "gszch")
REPAIRS = Feed("repairs", rest_credit.repairs, "xfbh", "qymc", "tyshxydm", "gszch", ("shzt",), changed="gxsj")


class Sender:
    """Rows as an agency sends them today: dirty, some twice, misbehaving if asked to.

    Args:
        world: read at every request; may move between requests.
        dirt: the sandbox's dirt.
        mood: the endpoint's misbehaviour now, or None.
    """

    def __init__(self, world: World, dirt: Dirt, mood: Callable[[], str | None]) -> None:
        self._world, self._dirt, self.mood = world, dirt, mood
        self._made: dict[str, tuple[int, list[RowTree]]] = {}

    def rows(self, feed: Feed) -> list[RowTree]:
        """All rows of the feed today; every request of a day gets the same."""
        day, rows = self._made.get(feed.name, (-1, []))
        if day != self._world.day:
            day, rows = self._world.day, self._soiled(feed)
            self._made[feed.name] = (day, rows)
        mood = self.mood()
        if mood == "half_empty":
            return rows[: len(rows) * 2 // 5]
        return [_renamed(row, feed.subject) for row in rows] if mood == "renamed_column" else rows

    def since(self, feed: Feed, moment: str) -> list[RowTree]:
        """Rows changed at or after the moment, which is in the form of the feed's own times."""
        return [row for row in self.rows(feed) if str(row[feed.changed]) >= moment]

    def page(self, rows: Sequence[RowTree], number: int, size: int) -> list[RowTree]:
        """One numbered page, the first being 1."""
        if number > 1 and self.mood() == "duplicate_page":
            number = 1
        return list(rows[(number - 1) * size : number * size])

    def after(self, feed: Feed, rows: Sequence[RowTree], token: str, size: int) -> tuple[list[RowTree], str | None]:
        """The rows after the token, and the token of the next page, or None at the end.

        Raises:
            ValueError: the token was not made here.
        """
        place = _place(token) if token and self.mood() != "duplicate_page" else ("", "")
        rest = [row for row in rows if (str(row[feed.changed]), str(row[feed.key])) > place]
        page = rest[:size]
        return page, _token(page[-1], feed) if len(rest) > size else None

    def _soiled(self, feed: Feed) -> list[RowTree]:
        sent: list[RowTree] = []
        for row in feed.rows(self._world):
            dirt = self._dirt.at(feed.name, row[feed.key])
            soiled = _soil(deepcopy(row), feed, dirt)
            for name in feed.as_text:
                soiled[name] = json.dumps(soiled[name], ensure_ascii=False)
            sent.append(soiled)
            if dirt.strikes(1 / 6):
                sent.append(soiled)
        return sent


def _soil(row: RowTree, feed: Feed, dirt: Dirt) -> RowTree:
    paths = [path for path in (feed.subject, feed.code, feed.legacy, *feed.words) if path]
    flat = {path: _get(row, path) for path in paths}
    soiled = dirt.row(flat, code=feed.code, legacy=feed.legacy or None, name=feed.subject, words=feed.words)
    for path, value in soiled.items():
        _set(row, path, value)
    return row


def _get(row: Mapping[str, Any], path: str) -> str | None:
    head, _, rest = path.partition(".")
    value = row.get(head)
    if rest:
        return _get(value, rest) if value else None
    return None if value is None else str(value)


def _set(row: RowTree, path: str, value: str | None) -> None:
    head, _, rest = path.partition(".")
    if not rest:
        row[head] = value
    elif row.get(head):
        _set(row[head], rest, value)


def _renamed(row: RowTree, path: str) -> RowTree:
    """The row with the field at the path called ``…_new``; inside JSON text the whole text field is renamed."""
    head, _, rest = path.partition(".")
    if rest and isinstance(row[head], dict):
        return {**row, head: _renamed(row[head], rest)}
    return {(f"{name}_new" if name == head else name): value for name, value in row.items()}


def _token(row: RowTree, feed: Feed) -> str:
    place = json.dumps([str(row[feed.changed]), str(row[feed.key])])
    return base64.urlsafe_b64encode(place.encode()).decode()


def _place(token: str) -> tuple[str, str]:
    try:
        changed, key = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (binascii.Error, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"not a page token of this service: {token!r}") from error
    return str(changed), str(key)
