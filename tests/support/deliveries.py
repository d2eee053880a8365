"""Deliveries of real sources made from bytes, in the shape each agency sends, and the way through the gateway."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from datetime import datetime
from html import escape
from typing import Any

from connectors.delivery import Delivery
from connectors.registry import source
from connectors.transports.files import from_upload
from gateway import pipeline
from gateway.deliveries import vault_of
from gateway.store import Store
from tests.support.companies import DAIRY, MILL, Company

COMPANY_LIST = "market_supervision/company_list"
REGISTRATION = "market_supervision/registration"
ABNORMAL = "market_supervision/abnormal_listings"
COMPLAINTS = "market_supervision/complaints"
CUSTOMS = "customs/registrations"
REFUSALS = "customs/import_refusals"
HEALTH = "health/licences"

Row = Mapping[str, Any]


def upload(store: Store, name: str, data: bytes, now: datetime, file: str = "名单.csv") -> str:
    """One file handed over to a source; returns the delivery's id. Nothing is landed."""
    spec = source(name)
    return pipeline.receive(store, from_upload(spec, file, io.BytesIO(data), vault_of(store), "test", now), spec)


def pages(store: Store, name: str, *contents: bytes, now: datetime, cursor: str | None = None) -> str:
    """Pages of one answer as a pull keeps them; returns the delivery's id. Nothing is landed."""
    parts = tuple(vault_of(store).keep(f"page-{n}", "text/plain", [page]) for n, page in enumerate(contents, start=1))
    return pipeline.receive(store, Delivery(name, parts, "test", now, cursor), source(name))


def land(store: Store, name: str, *contents: bytes, now: datetime) -> dict[str, Any]:
    """Take a delivery all the way; returns its receipt."""
    return pipeline.deliver(store, pages(store, name, *contents, now=now), source(name), now)


def company_list(*rows: tuple[str | None, str | None], headings: str = "") -> bytes:
    """A CSV of ``market_supervision/company_list``: one line per name and code."""
    lines = [f'{name or ""},{code or ""},2015-11-04,"1,000(万元)",浙江,杭州' for name, code in rows]
    first = headings or "企业名称,统一社会信用代码,注册日期,注册资金,所在省份,地区"
    return "\r\n".join([first, *lines, ""]).encode("utf-8-sig")


def registrations(*companies: Company, **changed: str) -> bytes:
    """An answer of the register about these entities; ``changed`` replaces elements of all of them."""
    return _envelope("<entities>", (_entity(each, changed) for each in companies), "</entities>")


def _entity(known: Company, changed: Mapping[str, str]) -> str:
    said = {
        "uniscid": known.uscc,
        "regno": known.registration_no,
        "entname": known.name,
        "hisname": known.former,
        "regstate_cn": "存续",
        "estdate": "2015-11-04",
        "apprdate": "2026-06-09",
        "regorg_cn": "市场监督管理局",
        "dom": known.address,
        "domdistrict": known.region_code,
        "tel": "10000000000",
        "lastmodified": "2026-06-09 09:00:00",
    }
    return _element("entity", {**said, **changed})


def customs(*rows: Row) -> bytes:
    """An answer of customs: an exchange message inside the string that SOAP carries. Rows are of ``customs_row``."""
    message = "".join(_element("FIELDS", row) for row in rows)
    inner = escape(f"<ExchangeMessage><BODY>{message}</BODY></ExchangeMessage>")
    return _envelope("<code>00</code><return>", [inner], "</return>")


def customs_row(customs_code: str, name: str, **changed: str) -> Row:
    """A registered unit; empty where ``changed`` says nothing."""
    names = ("TYSHXYDM", "ZZJGDM", "ZCHG", "XZQH", "JJQH", "JYLB", "HYZL", "ZCRQ", "BGYXQ", "NBQK", "KJDSLX", "ZCDZ")
    level = ("XYDJ", "DJRDSJ")
    return {"HGZCBM": customs_code, "QYMC": name, "ZXBZ": "正常", **dict.fromkeys((*names, *level), ""), **changed}


def _envelope(opening: str, elements: Any, closing: str) -> bytes:
    body = f"<Answer>{opening}{''.join(elements)}{closing}</Answer>"
    return f'<?xml version="1.0" encoding="UTF-8"?><Envelope><Body>{body}</Body></Envelope>'.encode()


def _element(name: str, content: Mapping[str, str]) -> str:
    return f"<{name}>" + "".join(f"<{key}>{escape(text)}</{key}>" for key, text in content.items()) + f"</{name}>"


def abnormal_listings(*rows: Row) -> bytes:
    """A page of the list of abnormal operation. Rows are of ``listing``."""
    return _json({"status": 200, "message": "成功", "result": {"total": len(rows), "list": rows}})


def listing(name: str, uscc: str = "", on: str = "2024-01-01", **changed: str | None) -> Row:
    """An entry in the list of abnormal operation."""
    said = {
        "ent": {"uniscid": uscc, "regno": changed.pop("regno", ""), "entname": name},
        "specause_cn": "通过登记的住所或者经营场所无法联系的",
        "abnormal_putdate": on,
        "decorg_cn": "杭州市余杭区市场监督管理局",
        "remexcpres_cn": None,
        "remdate": None,
        "redecorg_cn": None,
    }
    return said | changed


def complaints(*rows: Row) -> bytes:
    """A page of complaints. Rows are of ``complaint``."""
    return _json({"code": 0, "data": {"total": len(rows), "items": rows}})


def complaint(number: str, name: str = MILL.name, uscc: str = "", address: str = "", **changed: str) -> Row:
    """A complaint about an entity, made by somebody whose name and telephone are personal."""
    said = {
        "complaint_no": number,
        "type": "投诉",
        "areacode": "",
        "receive_time": "2026-06-01 9:30:00",
        "respondent": json.dumps({"name": name, "uniscid": uscc, "address": address}, ensure_ascii=False),
        "complainant": {"name": "周某", "phone": "10000000001"},
        "channel": "12315热线",
        "topic": "食品安全",
        "content": "称购买的食品超过保质期",
        "status": "待处理",
        "close_time": "",
        "result": "",
        "update_time": "2026-06-01 10:00:00",
    }
    return said | changed


def refusals(*rows: tuple[str, str], more: str = "") -> bytes:
    """A CSV of ``customs/import_refusals``: one line per number and importer; ``more`` is a further heading."""
    headings = (
        "年,月,序号,HS编码,检验检疫编号,产品名称,产地,生产企业信息,进口商信息,进口商备案号,重量,未准入境的事实,进境口岸"
    )
    lines = [
        f"2026,3,{number},1905310000,,曲奇饼干,丹麦,某饼干厂,{importer},,12.5,标签不合格,上海"
        + (",另列" if more else "")
        for number, importer in rows
    ]
    return "\r\n".join([headings + (f",{more}" if more else ""), *lines, ""]).encode("gb18030")


def health_licences(*rows: Row) -> bytes:
    """Rows of the health commission's front-end table. Rows are of ``health_licence``."""
    return b"".join(_json(row) + b"\n" for row in rows)


def health_licence(number: str, mark: str = "I", name: str = DAIRY.name, **changed: str | None) -> Row:
    """A health licence marked as inserted, updated or deleted (I, U, D)."""
    said = {
        "XK_WSH": number,
        "XK_XDR_SHXYM": None,
        "XK_XDR_GSDJ": None,
        "XK_XDR_ZDM": None,
        "XK_XDR": name,
        "XK_XMMC": "住宿场所卫生许可",
        "XK_NR": "准予卫生许可；量化分级：A级",
        "XK_FR": "陈俊杰",
        "XK_JDRQ": "2024/02/07",
        "XK_JZQ": "2028/02/06",
        "XK_XZJG": "成都市卫生健康局",
        "BZ": None,
        "SJBZ": mark,
        "XRQZKSJ": "2026-06-30 01:00:00",
    }
    return said | changed


def _json(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode()
