"""The words the sandbox world is made of: places, trades, syllables of names. Nothing here decides anything."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A county-level division (GB/T 2260) with the names that addresses and authorities use."""

    code: str
    province: str
    city: str
    county: str


PLACES = (
    Place("330110", "浙江省", "杭州市", "余杭区"),
    Place("330106", "浙江省", "杭州市", "西湖区"),
    Place("330122", "浙江省", "杭州市", "桐庐县"),
    Place("330523", "浙江省", "湖州市", "安吉县"),
    Place("350111", "福建省", "福州市", "晋安区"),
    Place("350181", "福建省", "福州市", "福清市"),
    Place("341302", "安徽省", "宿州市", "埇桥区"),
    Place("340202", "安徽省", "芜湖市", "镜湖区"),
    Place("510104", "四川省", "成都市", "锦江区"),
    Place("510107", "四川省", "成都市", "武侯区"),
    Place("370212", "山东省", "青岛市", "崂山区"),
    Place("440305", "广东省", "深圳市", "南山区"),
    Place("110108", "北京市", "北京市", "海淀区"),
    # Xinjiang: a municipal platform's own pattern wrongly refuses codes of regions 61 to 65.
    Place("650102", "新疆维吾尔自治区", "乌鲁木齐市", "天山区"),
    # A development zone: issued codes carry it, no edition of GB/T 2260 lists it. A warning, never a refusal.
    Place("320594", "江苏省", "苏州市", "工业园区"),
)


@dataclass(frozen=True)
class Trade:
    """What an entity does, which decides who registers, licenses and inspects it.

    Attributes:
        word: the trade in the entity's name.
        industry_code: GB/T 4754-2017, letter and four digits.
        scope: business scope text.
        sectors: what the agencies call on it for; see ``SandboxEntity.sectors``.
    """

    word: str
    industry_code: str
    scope: str
    sectors: frozenset[str]


TRADES = (
    Trade("食品", "C1499", "食品生产；食品经营；货物进出口。", frozenset({"food", "manufacturer"})),
    Trade("乳业", "C1440", "乳制品生产、销售；食品添加剂销售。", frozenset({"food", "manufacturer"})),
    Trade("茶业", "C1530", "茶叶种植、加工、销售。", frozenset({"food", "manufacturer", "farm"})),
    Trade("进出口贸易", "F5191", "食品、日用百货批发；货物及技术进出口。", frozenset({"trader", "food"})),
    Trade("餐饮管理", "H6210", "餐饮服务；食品零售。", frozenset({"restaurant", "public_place"})),
    Trade("酒店", "H6110", "住宿服务；餐饮服务；会议服务。", frozenset({"public_place", "restaurant"})),
    Trade("美容美发", "O8040", "美容服务；美发服务；化妆品零售。", frozenset({"public_place"})),
    Trade("农业科技", "A0141", "蔬菜、水果种植与销售；初级农产品收购。", frozenset({"farm"})),
    Trade("水产", "A0412", "水产养殖、销售。", frozenset({"farm", "food"})),
    Trade("商贸", "F5212", "预包装食品、日用品零售。", frozenset({"food", "trader"})),
    Trade("机械", "C3599", "专用设备制造、销售；货物进出口。", frozenset({"manufacturer", "trader"})),
    Trade("网络科技", "I6420", "软件开发；信息技术咨询；互联网销售。", frozenset({"office"})),
)

BRANDS = "启澜穗禾沐禹嘉瑾衡岚屿芷霁翎泓昱晟珩筱芃旻祺煦垚"
"""Syllables of which invented brand names are made, three at a time. 垚 and 芃 do not fit into GB2312."""

SURNAMES = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华"
GIVEN_NAMES = (
    "子涵",
    "雨桐",
    "浩然",
    "思远",
    "欣怡",
    "俊杰",
    "梓萱",
    "文博",
    "晓峰",
    "丽华",
    "建国",
    "秀英",
    "志强",
    "喆",
)
ROADS = ("文一西路", "科技大道", "人民路", "解放街", "创新路", "滨江大道", "幸福里", "中山北路", "古城东街", "凤凰山路")
