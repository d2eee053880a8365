"""严重失信主体名单与守信红名单: an entity entered in, or removed from, a credit list. A list needs a legal basis."""

from __future__ import annotations

from schemas import fields as f
from schemas.base import RecordSchema, Subject, not_before, same_organisation
from schemas.records import _common as common

_SOURCE = "信用平台 YW_L_HEIMINGDAN / YW_L_HONGMINGDAN"


class CreditListing(RecordSchema):
    """One entry in a list of dishonest or trustworthy entities."""

    record_type = "credit_listing"
    title_zh, title_en = "信用名单", "Credit listing"
    summary = "States that a body entered an entity in a credit list, on what document and for how long."
    key = ("list_code", "subject_name", "document_no", "listed_on")
    subject = Subject(
        uscc="uscc",
        name="subject_name",
        registration_no="subject_registration_no",
        organisation_code="subject_organisation_code",
        address="subject_address",
    )
    rules = (
        not_before("removed_on", "listed_on", "移出日期不早于列入日期", "removal is not before listing"),
        not_before(
            "publication_until_on", "listed_on", "公示截止期不早于列入日期", "publication ends not before listing"
        ),
        same_organisation("uscc", "subject_organisation_code"),
    )

    list_code = f.Code(
        "credit_list", required=True, zh="名单", description="Which list.", source="国办发〔2020〕49号", facet=True
    )
    uscc = common.uscc(source=f"{_SOURCE} tyshxydm")
    subject_name = common.subject_name(f"{_SOURCE} jgqc / rymc")
    subject_registration_no = common.registration_no(f"{_SOURCE} gszch")
    subject_organisation_code = common.organisation_code(f"{_SOURCE} zzjgdm")
    subject_address = common.address("注册地址", "Registered address of the subject.", f"{_SOURCE} zcdz")
    legal_representative = common.legal_representative(f"{_SOURCE} fddbr")
    document_no = f.Text(
        128,
        required=True,
        zh="认定文号",
        description="Number of the document the listing rests on.",
        source=f"{_SOURCE} rdwh; 国办发〔2020〕49号",
    )
    legal_basis = common.text("认定依据", "Provisions the listing rests on.", "国办发〔2020〕49号", 4000)
    facts = common.text("主要失信事实", "Facts established.", f"{_SOURCE} zysxss", 20_000)
    content = common.text("处罚或判决主要内容", "What was decided.", f"{_SOURCE} scfzynr", 20_000)
    listed_on = f.OnDate(
        required=True, zh="列入日期", description="Day of listing.", source=f"{_SOURCE} qryzsxrq / rdrq", facet=True
    )
    listing_authority = common.authority(f"{_SOURCE} rddw", zh="认定单位")
    publication_until_on = f.OnDate(
        open_ended=True,
        zh="公示截止期",
        description="Last day of publication.",
        source=f"{_SOURCE} gsjzq",
        facet=True,
    )
    honour_name = common.text("荣誉名称", "Honour a trustworthy entity was given.", f"{_SOURCE} rymc", 256)
    status_code = f.Code(
        "listing_status", zh="当前状态", description="State of the listing.", source=f"{_SOURCE} dqzt", facet=True
    )
    removed_on = f.OnDate(zh="移出日期", description="Day of removal.", source="市场监管总局令第44号 (2021)")
    remark = common.remark(f"{_SOURCE} bz")
