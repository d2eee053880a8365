"""By which names and numbers waiting records could be found, kept by each process, so that a small delivery need not
look at all that waits.

What is kept grows with the feed: only versions that have landed since are read. It may name records that wait no
longer, which costs a look for nothing, and never leaves out one that waits.
"""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_left, insort
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import polars as pl
from sqlalchemy import Engine

from gateway.store import Store, dialect
from gateway.store.stage import LESSONS
from schemas.columnar import contract
from schemas.names import match_form
from schemas.records import RECORD_TYPES

Waiting = Callable[[str, int], Iterable[pl.DataFrame]]
"""Gives the waiting records of a type behind a position of its feed, a batch at a time, with their subject fields."""

Positions = Callable[[], Mapping[str, int]]
"""Reads the newest position of every feed."""


def findable_by(record_type: str, rows: pl.DataFrame) -> frozenset[str] | None:
    """The names and numbers by which records find the entities that staged rows teach about.

    Args:
        rows: staged; columns of ``stage.lesson_columns`` and ``uscc``.

    Returns:
        None where the rows teach nothing, or are too many to be told one by one.
    """
    if record_type not in LESSONS or rows.height > dialect.FEW:
        return None
    said = {
        text for name in _NUMBERS_AND_FORMS & set(LESSONS[record_type]) for text in rows[f"lesson_{name}"].to_list()
    }
    if "name_history" in LESSONS[record_type]:
        former = filter(None, rows["lesson_name_history"].to_list())
        said |= {match_form(name) for names in former for name in names.split(";")}
    # The organisation code inside the code: GB 32100-2015, 5.5.
    said |= {uscc[8:17] for uscc in rows["uscc"].to_list() if uscc}
    return frozenset(text for text in said if text)


_MUCH = 100
"""Of how many hashes one may be new before all are sorted anew rather than each put into its place."""

_NUMBERS_AND_FORMS = {"name_form", "registration_no", "organisation_code", "customs_code"}


@dataclass
class Feed:
    """What waits in one feed, up to a position in it.

    Attributes:
        last_seq: up to which versions have been read.
        hashes: of every name and number, sorted, each once; eight bytes for each of perhaps a million.
    """

    last_seq: int = 0
    hashes: array[int] = field(default_factory=lambda: array("q"))

    def read_on(self, record_type: str, last_seq: int, waiting: Waiting) -> None:
        if last_seq == self.last_seq:
            return
        found = {hash(text) for batch in waiting(record_type, self.last_seq) for text in _said(record_type, batch)}
        new = [one for one in found if not self._holds(one)]
        if len(new) > len(self.hashes) // _MUCH:
            self.hashes = array("q", sorted([*self.hashes, *new]))
        else:
            for one in new:
                insort(self.hashes, one)
        self.last_seq = last_seq

    def names_any(self, texts: Collection[str]) -> bool:
        return any(self._holds(hash(text)) for text in texts)

    def _holds(self, wanted: int) -> bool:
        place = bisect_left(self.hashes, wanted)
        return place < len(self.hashes) and self.hashes[place] == wanted


def _said(record_type: str, batch: pl.DataFrame) -> Iterator[str]:
    """The names and numbers by which waiting records of a type look for their entity."""
    subject = contract(record_type).subject
    for name in (subject.registration_no, subject.organisation_code, subject.customs_code):
        if name:
            yield from batch[name].drop_nulls()
    if subject.name:
        yield from map(match_form, batch[subject.name].drop_nulls())


class Awaited:
    """What waits in an installation. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._feeds: dict[str, Feed] = {}

    def found_by(self, positions: Positions, waiting: Waiting, texts: Collection[str]) -> set[str]:
        """Record types of which something waits that may be found by one of these names and numbers.

        The first time a feed is read, whatever waits in it counts as such: a process that ended before may have
        landed what makes it known, and not linked it.

        Args:
            positions: asked before anything that ``waiting`` reads, and while nobody else reads on: a feed that is
                shorter than what was read of it is of a database that was put back to an earlier state.
        """
        with self._lock:
            feeds = positions()
            return {each for each in RECORD_TYPES if self._is_found_by(each, feeds.get(each, 0), waiting, texts)}

    def _is_found_by(self, record_type: str, last_seq: int, waiting: Waiting, texts: Collection[str]) -> bool:
        kept = self._feeds.get(record_type)
        if kept is not None and kept.last_seq <= last_seq:
            kept.read_on(record_type, last_seq, waiting)
            return kept.names_any(texts)
        first = Feed()
        first.read_on(record_type, last_seq, waiting)
        self._feeds[record_type] = first
        return bool(first.hashes)

    def pass_over(self, record_type: str, first_seq: int, last_seq: int) -> None:
        """Note that nothing waits between two positions of a feed; they need not be read."""
        with self._lock:
            feed = self._feeds.get(record_type)
            if feed is not None and feed.last_seq == first_seq - 1:
                feed.last_seq = last_seq

    def read_anew(self, record_type: str) -> None:
        """Read a feed from its beginning again: it was linked, and some of what waited does so no longer."""
        with self._lock:
            # A feed that was forgotten meanwhile stays so: somebody landed what was not linked.
            if record_type in self._feeds:
                self._feeds[record_type] = Feed()

    def forget(self) -> None:
        """Take every feed for one that was never read: something landed that was not linked."""
        with self._lock:
            self._feeds.clear()


_KEPT: WeakKeyDictionary[Engine, Awaited] = WeakKeyDictionary()


def awaited_of(store: Store) -> Awaited:
    """What this process keeps for an open database."""
    return _KEPT.setdefault(store.engine, Awaited())


@contextmanager
def made_good(store: Store) -> Iterator[None]:
    """What is cut off in here, between a landing and the end of its linking, is linked by the next that teaches."""
    try:
        yield
    except BaseException:
        awaited_of(store).forget()
        raise
