"""What the sandbox agencies inspect, certify and refuse: foods, produce, faults found, and the offices that act.

Everything here is invented or generic; no real company, office or document number. Nothing here draws at random.
"""

from __future__ import annotations

from typing import NamedTuple


class Food(NamedTuple):
    """A packaged food as a sampling notice names it."""

    name: str
    category: str
    specification: str
    trademark: str
    shelf_life: str


class FailedItem(NamedTuple):
    """A checked item that failed, with the value found and the limit of the standard."""

    item: str
    found: str
    standard: str


class Produce(NamedTuple):
    """A product of a farm, by its usual trade unit."""

    name: str
    unit: str
    place: str


class Refused(NamedTuple):
    """A food turned back at the border."""

    hs_code: str
    name: str
    origin: str
    producer: str
    facts: str
    port: str


FOODS = (
    Food("小麦粉", "粮食加工品", "25kg/袋", "麦田乐", "12个月"),
    Food("压榨花生油", "食用油、油脂及其制品", "5L/桶", "油香坊", "18个月"),
    Food("酿造酱油", "调味品", "500mL/瓶", "酱缸老号", "24个月"),
    Food("风味发酵乳", "乳制品", "200g/盒", "晨牧", "21天"),
    Food("香辣豆腐干", "豆制品", "108g/袋", "豆先生", "6个月"),
    Food("手工月饼（莲蓉）", "糕点", "100g/个", "/", "45天"),
    Food("白酒（52%vol）", "酒类", "500mL/瓶", "清泉坊", "——"),
    Food("蜜饯山楂", "水果制品", "散装称重", "/", "9个月"),
)
"""A food's GTIN is ``codes.gtin13`` of its place in this table."""

FAILED_ITEMS = (
    FailedItem("菌落总数", "2.1×10⁵CFU/g", "≤10⁴CFU/g"),
    FailedItem("苯甲酸及其钠盐（以苯甲酸计）", "1.32g/kg", "≤1.0g/kg"),
    FailedItem("脱氢乙酸及其钠盐（以脱氢乙酸计）", "0.62g/kg", "不得使用"),
    FailedItem("铅（以Pb计）", "0.73mg/kg", "≤0.5mg/kg"),
    FailedItem("酸价（以脂肪计）（KOH）", "3.9mg/g", "≤3mg/g"),
    FailedItem("酒精度", "48.6%vol", "52±1.0%vol"),
)

PRODUCE = (
    Produce("大白菜", "公斤", "东岭村"),
    Produce("番茄", "公斤", "临水村"),
    Produce("草莓", "盒", "桃源村"),
    Produce("鲜鸡蛋", "箱", "石桥村"),
    Produce("生猪", "头", "北坡村"),
    Produce("鲫鱼", "公斤", "南湖渔场"),
    Produce("春茶（毛茶）", "公斤", "云雾山茶场"),
)

RESIDUES = (
    FailedItem("毒死蜱", "0.086mg/kg", "≤0.02mg/kg"),
    FailedItem("恩诺沙星", "184μg/kg", "≤100μg/kg"),
    FailedItem("氯氟氰菊酯和高效氯氟氰菊酯", "0.61mg/kg", "≤0.2mg/kg"),
)

REFUSED = (
    Refused("1905310000", "黄油曲奇饼干", "丹麦", "NORDISK KAGEFABRIK A/S", "超范围使用食品添加剂", "洋山"),
    Refused("2009120000", "橙汁", "西班牙", "ZUMOS DEL SUR S.L.", "标签不合格", "盐田"),
    Refused("0304490000", "冻鱼片", "挪威", "FJORD SJØMAT AS", "检出单核细胞增生李斯特氏菌", "大窑湾"),
    Refused("1806320000", "黑巧克力", "比利时", "CHOCOLATERIE DU NORD NV", "镉超标", "外高桥"),
    Refused("2106909090", "固体饮料", "美国", "PLAINS NUTRITION INC.", "未获检验检疫准入", "天竺"),
    Refused("0406900000", "硬质干酪", "意大利", "CASEIFICIO VALLE S.R.L.", "货证不符", "洋山"),
)

PLACES = ("餐饮服务单位（餐馆）", "单位食堂", "学校食堂", "家庭", "集体聚餐")

SUSPECTED_CAUSES = ("沙门氏菌", "副溶血性弧菌", "亚硝酸盐", "毒蘑菇", "原因不明")

LABORATORIES = ("示例市食品检验研究院", "示例省产品质量检验中心", "示例市农产品质量安全检测中心")
