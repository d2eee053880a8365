"""Asking page by page: when to stop, and how to tell that an agency repeats itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from connectors.connections import Connection
from connectors.cursors import Reached
from connectors.delivery import Delivery, Part
from connectors.request_options import Paging
from connectors.spec import SourceSpec
from connectors.transports.trouble import unavailable
from connectors.vault import Vault

MAX_PAGES = 100_000


@dataclass(frozen=True)
class Page:
    """One answer.

    Attributes:
        body: bytes as received.
        media_type: as declared by the server.
        rows: how many rows it holds.
        fingerprint: digest of the rows alone: equal for a page that was sent twice.
        total: rows altogether as the agency counts them, or None.
        next: token of the next page, or None.
        times: value of the cursor column of each row.
    """

    body: bytes
    media_type: str
    rows: int
    fingerprint: str
    total: int | None
    next: str | None
    times: tuple[str | None, ...]


@dataclass(frozen=True)
class Kept:
    """What is left of pages once their bytes are in the vault.

    Attributes:
        parts: one per page.
        rows: of all pages together.
        reached: how far they reach in time.
    """

    parts: tuple[Part, ...]
    rows: int
    reached: Reached

    def delivery(
        self, spec: SourceSpec, connection: Connection, cursor: str | None, now: datetime
    ) -> Iterator[Delivery]:
        """The one delivery of the pages, or none if a source of changes had no news.

        Raises:
            SourceChanged: no row says when it changed.
        """
        if self.rows or spec.delivery != "changes":
            yield Delivery(spec.source, self.parts, f"pull:{connection.name}", now, self.reached.next_cursor(cursor))


def keep_pages(vault: Vault, pages: Iterable[Page], name: Callable[[int], str], reached: Reached) -> Kept:
    """Put each page into the vault as soon as it has come, so that never more than one is in memory."""
    parts: list[Part] = []
    rows = 0
    for number, page in enumerate(pages, 1):
        parts.append(vault.keep(name(number), page.media_type, [page.body]))
        rows += page.rows
        reached.add(page.times)
    return Kept(tuple(parts), rows, reached)


def all_pages(where: str, paging: Paging, ask: Callable[[dict[str, str]], Page]) -> Iterator[Page]:
    """Ask until the end.

    Args:
        where: source and endpoint, for messages.
        paging: as declared.
        ask: sends one request with the given paging arguments added.

    Raises:
        Unavailable: a page repeats an earlier one, or the pages end before the total that was announced.
    """
    arguments = {} if paging.kind == "none" else {paging.size: str(paging.per_page)}
    if paging.kind == "page":
        arguments[paging.number] = str(paging.first)
    seen: dict[str, int] = {}
    received = 0
    for count in range(1, MAX_PAGES + 1):
        page = ask(dict(arguments))
        if page.rows and (earlier := seen.setdefault(page.fingerprint, count)) != count:
            raise unavailable(
                where,
                f"第 {count} 页与第 {earlier} 页内容相同。",
                f"page {count} repeats page {earlier}.",
                page=count,
                repeats=earlier,
            )
        received += page.rows
        yield page
        if _was_last(paging, page, received):
            _check_total(where, page, received, count)
            return
        if paging.kind == "cursor":
            arguments[paging.token] = str(page.next)
        else:
            arguments[paging.number] = str(paging.first + count)
    raise unavailable(where, f"超过 {MAX_PAGES} 页仍未结束。", f"did not end after {MAX_PAGES} pages.")


def _was_last(paging: Paging, page: Page, received: int) -> bool:
    if paging.kind == "none":
        return True
    if paging.kind == "cursor":
        return not page.next
    if page.rows == 0:
        return True
    # An agency may cap the page size below what was asked for, so a short page ends only what has no total.
    return received >= page.total if page.total is not None else page.rows < paging.per_page


def _check_total(where: str, page: Page, received: int, count: int) -> None:
    if page.total is not None and received < page.total:
        raise unavailable(
            where,
            f"声明共 {page.total} 行，{count} 页只有 {received} 行。",
            f"announced {page.total} rows, but {count} pages hold {received}.",
            total=page.total,
            received=received,
        )
