"""行政处罚: one decision to punish, as published in 双公示."""

from __future__ import annotations

from schemas import fields as f
from schemas.base import RecordSchema, Subject, not_before, same_organisation
from schemas.records import _common as common

_FORM = common.FORM_2018


class Penalty(RecordSchema):
    """One decision of administrative penalty against one subject."""

    record_type = "penalty"
    title_zh, title_en = "行政处罚", "Administrative penalty"
    summary = "States that an authority decided a penalty against a subject."
    key = ("document_no", "subject_name", "decided_on")
    subject = Subject(
        uscc="uscc",
        name="subject_name",
        registration_no="subject_registration_no",
        organisation_code="subject_organisation_code",
        taxpayer_no="subject_taxpayer_no",
        region_code="region_code",
    )
    rules = (
        not_before("valid_to_on", "decided_on", "处罚有效期不早于决定日期", "the penalty ends not before the decision"),
        not_before(
            "publication_until_on", "decided_on", "公示截止期不早于决定日期", "publication ends not before the decision"
        ),
        same_organisation("uscc", "subject_organisation_code"),
    )

    document_no = f.Text(
        128,
        required=True,
        keep=("空",),
        zh="行政处罚决定书文号",
        description="Number of the decision; 空 where the decision has none.",
        source=f"{_FORM} CF_WSH",
    )
    uscc = common.uscc(source=f"{_FORM} CF_XDR_SHXYM")
    subject_name = common.subject_name(f"{_FORM} CF_XDR_MC", zh="行政相对人名称")
    subject_registration_no = common.registration_no(f"{_FORM} CF_XDR_GSZC")
    subject_organisation_code = common.organisation_code(f"{_FORM} CF_XDR_ZZJG")
    subject_taxpayer_no = common.taxpayer_no(f"{_FORM} CF_XDR_SWDJ")
    subject_kind_code = common.subject_kind(f"{_FORM} CF_XDR_LB")
    case_name = common.text("案件名称", "Name of the case.", "双公示 2015 CF_CFMC", 500)
    violation_type = common.text("违法行为类型", "Kind of violation.", f"{_FORM} CF_WFXW", 2000)
    facts = common.text("违法事实", "Facts established.", f"{_FORM} CF_SY", 20_000)
    legal_basis = common.text("处罚依据", "Provisions the penalty rests on.", f"{_FORM} CF_YJ", 20_000)
    penalty_kind_codes = f.Codes(
        "penalty_kind",
        required=True,
        zh="处罚类别",
        description="Kinds of penalty.",
        source=f"{_FORM} CF_CFLB; 行政处罚法 (2021) 第九条",
        facet=True,
    )
    content = common.text("处罚内容", "What was decided.", f"{_FORM} CF_NR", 20_000)
    fine_wan_yuan = f.Amount("万元", zh="罚款金额", description="Amount of the fine.", source=f"{_FORM} CF_NR_FK")
    confiscated_wan_yuan = f.Amount(
        "万元", zh="没收金额", description="Value of what was confiscated.", source=f"{_FORM} CF_NR_WFFF"
    )
    revoked_licence = common.text(
        "暂扣或吊销证照名称及编号", "Licence suspended or revoked, with its number.", f"{_FORM} CF_NR_ZKDX"
    )
    decided_on = f.OnDate(
        required=True, zh="处罚决定日期", description="Day of the decision.", source=f"{_FORM} CF_JDRQ", facet=True
    )
    valid_to_on = f.OnDate(
        open_ended=True, zh="处罚有效期", description="Last day of the penalty's effect.", source=f"{_FORM} CF_YXQ"
    )
    publication_until_on = f.OnDate(
        open_ended=True,
        zh="公示截止期",
        description="Last day of publication.",
        source=f"{_FORM} CF_GSJZQ",
        facet=True,
    )
    authority_name = common.authority(f"{_FORM} CF_CFJG", zh="处罚机关")
    authority_uscc = common.authority_uscc(f"{_FORM} CF_CFJGDM")
    legal_representative = common.legal_representative(f"{_FORM} CF_FRDB")
    legal_representative_id_no = common.personal(
        "法定代表人证件号码", "Identity document number of the legal representative.", f"{_FORM} CF_FR_ZJHM"
    )
    severity_code = f.Code(
        "severity",
        zh="失信严重程度",
        description="How serious the breach of trust is.",
        source="双公示 2015 CF_SXYZCD",
        facet=True,
    )
    status_code = f.Code(
        "penalty_status", zh="当前状态", description="State of the decision.", source="双公示 2015 CF_ZT", facet=True
    )
    publication_scope_code = common.publication_scope()
    region_code = common.region("地方编码", "Region of the deciding authority.", "双公示 2015 DFBM; GB/T 2260")
    updated_at = common.updated_at()
    remark = common.remark()
