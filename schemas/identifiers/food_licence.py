"""Food licence numbers: SC (production 食品生产许可证) and JY (trade 食品经营许可证), two letters and 14 digits.

The last digit is ISO 7064 MOD 11,10 over the 13 before it. No text we know says so; it holds for 21 of
23 numbers seen on public pages, so a number that fails is only warned about.
"""

from __future__ import annotations

import re

from stdnum.iso7064 import mod_11_10

from schemas.faults import Fault
from schemas.identifiers import region
from schemas.identifiers.text import code_form

_FORM = re.compile(r"(SC|JY)([0-9]{14})", re.ASCII)
_OLD = re.compile(r"QS[0-9]{12}", re.ASCII)
_TRADES = {"1": ("食品销售", "food sales"), "2": ("餐饮服务", "catering"), "3": ("单位食堂", "canteen")}
_CATEGORIES = {
    "101": "粮食加工品", "102": "食用油、油脂及其制品", "103": "调味品", "104": "肉制品", "105": "乳制品",
    "106": "饮料", "107": "方便食品", "108": "饼干", "109": "罐头", "110": "冷冻饮品", "111": "速冻食品",
    "112": "薯类和膨化食品", "113": "糖果制品", "114": "茶叶及相关制品", "115": "酒类", "116": "蔬菜制品",
    "117": "水果制品", "118": "炒货食品及坚果制品", "119": "蛋制品", "120": "可可及焙烤咖啡产品", "121": "食糖",
    "122": "水产制品", "123": "淀粉及淀粉制品", "124": "糕点", "125": "豆制品", "126": "蜂产品", "127": "保健食品",
    "128": "特殊医学用途配方食品", "129": "婴幼儿配方食品", "130": "特殊膳食食品", "131": "其他食品",
    "201": "食品添加剂", "202": "食品用香精", "203": "复配食品添加剂",
}  # fmt: skip


def normalize(text: str) -> str:
    """Upper case, half width, without blanks and hyphens.

    >>> normalize("sc 106 3301 9702613")
    'SC10633019702613'
    """
    return code_form(text)


def validate(text: str) -> list[Fault]:
    """Faults of a normalised number: its shape; QS numbers ended on 1 October 2018."""
    if _FORM.fullmatch(text):
        return []
    if _OLD.fullmatch(text):
        return [
            Fault(
                "food_licence.abolished",
                f"「{text}」是旧版QS编号，2018年10月1日起停用；请报送SC编号",
                f"'{text}' is an old QS number, not in use since 1 October 2018; send the SC number",
            )
        ]
    return [
        Fault(
            "food_licence.form",
            f"食品许可证编号应为SC或JY加14位数字，收到「{text}」；请对照许可证核对",
            f"a food licence number is SC or JY and 14 digits, got '{text}'; compare with the licence",
        )
    ]


def warnings(text: str) -> list[Fault]:
    """Doubts about a well-formed number: check digit and region."""
    shape = _FORM.fullmatch(text)
    if not shape:
        return []
    found = []
    if not mod_11_10.is_valid(shape.group(2)):
        expected = mod_11_10.calc_check_digit(shape.group(2)[:-1])
        found.append(
            Fault(
                "food_licence.check_digit",
                f"食品许可证编号「{text}」校验位通常应为{expected}，收到{text[-1]}；仅提示，请对照许可证核对",
                f"check digit of '{text}' would usually be {expected}, got {text[-1]}; "
                "a remark only, compare with the licence",
            )
        )
    return found + region.warnings(_region(shape))


def explain(text: str) -> dict[str, str]:
    """Kind of licence, category or trade, region, serial number; empty for another shape."""
    shape = _FORM.fullmatch(text)
    if not shape:
        return {}
    letters, digits = shape.groups()
    parts = {**region.explain(_region(shape)), "serial": digits[9:13] if letters == "SC" else digits[7:13]}
    if letters == "SC":
        category = _CATEGORIES.get(digits[:3], "未知")
        return {"kind_zh": "食品生产许可证", "kind_en": "food production licence", "category_zh": category, **parts}
    trade_zh, trade_en = _TRADES.get(digits[0], ("未知", "unknown"))
    trade = {"trade_zh": trade_zh, "trade_en": trade_en}
    return {"kind_zh": "食品经营许可证", "kind_en": "food trade licence", **trade, **parts}


def _region(shape: re.Match[str]) -> str:
    letters, digits = shape.groups()
    return digits[3:9] if letters == "SC" else digits[1:7]
