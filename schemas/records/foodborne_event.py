"""食源性疾病(汇总): cases of foodborne illness, aggregated by the health authority before it sends them."""

from __future__ import annotations

from schemas import fields as f
from schemas.base import RecordSchema, Subject, not_before
from schemas.records import _common as common

_SOURCE = "食源性疾病监测报告工作规范（试行） 国卫食品发〔2019〕59号"


class FoodborneEvent(RecordSchema):
    """One aggregated report. Nobody who fell ill can be told from it."""

    record_type = "foodborne_event"
    title_zh, title_en = "食源性疾病（汇总）", "Foodborne illness, aggregated"
    summary = "States how many cases of foodborne illness a period, a region and a food had."
    sensitivity = "shared"
    key = ("report_id",)
    subject = Subject(uscc="uscc", name="subject_name", region_code="region_code")
    rules = (
        not_before("period_to_on", "period_from_on", "统计期止不早于统计期起", "the period ends not before it begins"),
        not_before("exposed", "cases", "暴露人数不少于发病人数", "exposed persons are not fewer than cases"),
        not_before("cases", "hospitalised", "发病人数不少于住院人数", "cases are not fewer than hospitalised"),
        not_before("cases", "deaths", "发病人数不少于死亡人数", "cases are not fewer than deaths"),
    )

    report_id = f.Text(64, required=True, zh="报告编号", description="Number of the report.", source=_SOURCE)
    period_from_on = f.OnDate(
        required=True, zh="统计期起", description="First day of the period.", source=_SOURCE, facet=True
    )
    period_to_on = f.OnDate(
        required=True, zh="统计期止", description="Last day of the period.", source=_SOURCE, facet=True
    )
    region_code = f.RegionCode(
        required=True, zh="行政区划代码", description="Region of the cases.", source=f"{_SOURCE}; GB/T 2260", facet=True
    )
    food_category = f.Text(
        100, zh="暴露食品类别", description="Category of the food.", source=f"{_SOURCE} 暴露食品分类", facet=True
    )
    food_name = common.text("暴露食品名称", "Name of the food.", f"{_SOURCE} 暴露食品名称", 256)
    place_kind = f.Text(
        100,
        zh="进食场所类型",
        description="Kind of place where it was eaten.",
        source=f"{_SOURCE} 进食场所",
        facet=True,
    )
    uscc = common.uscc(zh="进食场所统一社会信用代码")
    subject_name = common.subject_name(f"{_SOURCE} 进食场所", zh="进食场所名称", required=False)
    cases = f.Count(
        required=True, zh="发病人数", description="Number of cases.", source=f"{_SOURCE} 发病人数", unit="人"
    )
    exposed = f.Count(zh="暴露人数", description="Persons who ate with them.", source=f"{_SOURCE} 同食人数", unit="人")
    hospitalised = f.Count(zh="住院人数", description="Cases taken to hospital.", source=_SOURCE, unit="人")
    deaths = f.Count(zh="死亡人数", description="Cases that died.", source=_SOURCE, unit="人")
    suspected_cause = common.text("可疑致病因子", "Suspected cause.", _SOURCE, 256)
    remark = common.remark(_SOURCE)
