"""The two SOAP agencies, both under mutual TLS: the register of market supervision, the exchange front of customs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from lxml import etree

from connectors.sandbox.customs_records import customs_rows, exchange_message
from connectors.sandbox.dirt import Dirt, Row
from connectors.sandbox.registration_records import ALWAYS, EVERYTHING_SINCE, registration_rows
from connectors.sandbox.service import Service, State
from connectors.sandbox.soap_server import Contract, SoapFault, parse_safely, soap_application
from connectors.sandbox.world import World

REGISTRATION = "market_supervision_registration"
CUSTOMS = "customs_registrations"
MOMENT = "%Y-%m-%d %H:%M:%S"


def build(world: World, dirt: Dirt, state: State) -> list[Service]:
    """``market_supervision_registration`` and ``customs_registrations``."""
    registration, customs = Contract.read("registration"), Contract.read("customs")

    # Every page of an answer is asked for by itself: without these each would make all rows anew.
    @lru_cache(maxsize=4)
    def registered(_: int, since: datetime, until: datetime) -> list[Row]:
        return registration_rows(world, dirt, since, until)

    @lru_cache(maxsize=1)
    def filed(_: int) -> list[Row]:
        return customs_rows(world, dirt)

    def query_entities(asked: etree._Element) -> etree._Element:
        rows = registered(world.day, *_interval(asked))
        return _query_entities(asked, registration, rows, state.moods.of(REGISTRATION))

    def exchange(asked: etree._Element) -> etree._Element:
        return _exchange(asked, customs, filed(world.day), f"{world.today:%Y%m%d}", state.moods.of(CUSTOMS))

    return [
        Service(
            endpoint=REGISTRATION,
            agency="market_supervision",
            application=soap_application(registration, {"QueryEntities": query_entities}),
            path="/ws/registration",
            client_certificate=True,
        ),
        Service(
            endpoint=CUSTOMS,
            agency="customs",
            application=soap_application(customs, {"Exchange": exchange}),
            path="/ws/exchange",
            client_certificate=True,
        ),
    ]


def _interval(asked: etree._Element) -> tuple[datetime, datetime]:
    since = _moment(_text(asked, "since"), EVERYTHING_SINCE)
    until = _moment(_text(asked, "until"), ALWAYS)
    if since > until:
        raise SoapFault("Client", "E101", "since晚于until")
    return since, until


def _query_entities(
    asked: etree._Element, contract: Contract, every: Sequence[Row], mood: str | None
) -> etree._Element:
    number, size = int(_text(asked, "page") or 1), int(_text(asked, "size") or 1)
    rows = _few(every, mood)
    answer = contract.element("QueryEntitiesResponse")
    told = {"code": "00", "message": "成功", "total": len(rows), "pages": -(-len(rows) // size), "page": number}
    answer.extend(contract.element(name, str(value)) for name, value in told.items())
    entities = contract.element("entities")
    for row in _page(rows, number, size, mood):
        entities.append(_entity(contract, row, "enterprisename" if mood == "renamed_column" else "entname"))
    answer.append(entities)
    return _checked(answer, contract, mood)


def _entity(contract: Contract, row: Row, name_element: str) -> etree._Element:
    entity = contract.element("entity")
    for name, text in row.items():
        if text is not None:
            entity.append(contract.element(name_element if name == "entname" else name, text))
    return entity


def _exchange(
    asked: etree._Element, contract: Contract, every: Sequence[Row], today: str, mood: str | None
) -> etree._Element:
    item = _asked_item(_text(asked, "request") or "")
    if item != "HGQYZC":
        raise SoapFault("Client", "E201", f"没有交换事项“{item}”，现有：HGQYZC")
    number, size = int(_text(asked, "pageNo") or 1), int(_text(asked, "pageSize") or 100_000)
    rows = _few(every, mood)
    page = _page(rows, number, size, mood)
    if mood == "renamed_column":
        page = [{("QIYEMC" if name == "QYMC" else name): text for name, text in row.items()} for row in page]
    message = exchange_message(page, f"{today}{number:06d}", lower=number % 2 == 0)
    answer = contract.element("ExchangeResponse")
    told = {"code": "00", "total": str(len(rows)), "return": message}
    answer.extend(contract.element(name, text) for name, text in told.items())
    return _checked(answer, contract, mood)


def _asked_item(request: str) -> str:
    """``Header/item`` of the message asked with, in any case of letters.

    Raises:
        SoapFault: not XML, with a document type, or without an item.
    """
    message = parse_safely(request.encode())
    found = [element.text or "" for element in message.iter("{*}*") if str(element.tag).lower() == "item"]
    if not found:
        raise SoapFault("Client", "E202", "request缺少Header/item")
    return found[0].strip()


def _few(rows: Sequence[Row], mood: str | None) -> list[Row]:
    return list(rows[: len(rows) // 3]) if mood == "half_empty" else list(rows)


def _page(rows: Sequence[Row], number: int, size: int, mood: str | None) -> list[Row]:
    start = 0 if mood == "duplicate_page" else (number - 1) * size
    return list(rows[start : start + size])


def _checked(answer: etree._Element, contract: Contract, mood: str | None) -> etree._Element:
    """The answer, which must be of the contract unless a column is renamed on purpose."""
    return answer if mood == "renamed_column" else contract.checked(answer, "Server")


def _text(element: etree._Element, name: str) -> str | None:
    return element.findtext(f"{{*}}{name}")


def _moment(text: str | None, otherwise: datetime) -> datetime:
    if text is None:
        return otherwise
    try:
        return datetime.strptime(text, MOMENT)
    except ValueError as error:
        raise SoapFault("Client", "E102", f"时间“{text}”不存在") from error
