"""报关单位备案与信用等级: what customs knows about an importer, exporter or broker."""

from __future__ import annotations

from schemas import fields as f
from schemas.base import RecordSchema, Subject, not_before, same_organisation
from schemas.records import _common as common

_SOURCE = "海关总署令第253号; 中国海关企业进出口信用信息公示"


class CustomsRegistration(RecordSchema):
    """One enterprise registered with customs."""

    record_type = "customs_registration"
    title_zh, title_en = "报关单位备案", "Customs registration"
    summary = "States that an enterprise is registered with customs, and its credit level."
    key = ("customs_code",)
    subject = Subject(
        uscc="uscc",
        name="subject_name",
        organisation_code="subject_organisation_code",
        customs_code="customs_code",
        address="subject_address",
        region_code="region_code",
    )
    rules = (
        not_before("valid_to_on", "registered_on", "报关有效期不早于注册日期", "validity ends not before registration"),
        same_organisation("uscc", "subject_organisation_code"),
    )

    customs_code = f.CustomsCode(
        required=True, zh="海关注册编码", description="Customs registration code.", source=_SOURCE
    )
    uscc = common.uscc()
    subject_name = common.subject_name(f"{_SOURCE} 中文名称", zh="企业中文名称")
    registration_customs = common.text("注册海关", "Customs house of registration.", f"{_SOURCE} 注册海关", 100)
    region_code = common.region("行政区划", "Region of the enterprise.", f"{_SOURCE} 行政区划; GB/T 2260")
    economic_zone = common.text("经济区划", "Economic zone.", f"{_SOURCE} 经济区划", 100)
    business_category = common.text("经营类别", "Category of business.", f"{_SOURCE} 经营类别", 100)
    industry = common.text("行业种类", "Industry, in words.", f"{_SOURCE} 行业种类")
    registered_on = f.OnDate(
        zh="注册日期", description="Day of registration.", source=f"{_SOURCE} 注册日期", facet=True
    )
    valid_to_on = f.OnDate(
        open_ended=True, zh="报关有效期", description="Last day of validity.", source=f"{_SOURCE} 报关有效期"
    )
    credit_level_code = f.Code(
        "customs_credit_level",
        zh="信用等级",
        description="Credit level; the list changed on 2021-11-01.",
        source="海关总署令第251号 (2021)",
        facet=True,
    )
    level_decided_on = f.OnDate(
        zh="等级认定时间", description="Day the level was decided.", source="海关总署令第251号 (2021)"
    )
    is_cancelled = f.YesNo(
        zh="海关注销标志", description="Whether the registration was cancelled.", source=_SOURCE, facet=True
    )
    annual_report_state = common.text("年报情况", "State of the annual report.", f"{_SOURCE} 年报情况", 50)
    ecommerce_type = common.text("跨境电商类型", "Kind of cross-border e-commerce.", f"{_SOURCE} 跨境电商类型", 100)
    subject_address = common.address("注册地址", "Registered address.", f"{_SOURCE} 注册地址")
    subject_organisation_code = common.organisation_code()
