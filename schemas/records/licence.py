"""行政许可: one decision to grant a licence, as published in 双公示."""

from __future__ import annotations

from schemas import fields as f
from schemas.base import RecordSchema, Subject, not_before, same_organisation
from schemas.records import _common as common

_FORM = common.FORM_2018


class Licence(RecordSchema):
    """One licensing decision about one subject."""

    record_type = "licence"
    title_zh, title_en = "行政许可", "Administrative licence"
    summary = "States that an authority decided to grant a licence to a subject."
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
        not_before("valid_to_on", "valid_from_on", "有效期至不早于有效期自", "the licence ends not before it begins"),
        not_before("valid_to_on", "decided_on", "有效期至不早于决定日期", "the licence ends not before the decision"),
        same_organisation("uscc", "subject_organisation_code"),
    )

    document_no = f.Text(
        128,
        required=True,
        keep=("空",),
        zh="行政许可决定文书号",
        description="Number of the decision; 空 where the decision has none.",
        source=f"{_FORM} XK_WSH",
    )
    document_name = common.text("行政许可决定文书名称", "Name of the decision document.", f"{_FORM} XK_XKWS", 256)
    uscc = common.uscc(source=f"{_FORM} XK_XDR_SHXYM")
    subject_name = common.subject_name(f"{_FORM} XK_XDR_MC", zh="行政相对人名称")
    subject_registration_no = common.registration_no(f"{_FORM} XK_XDR_GSZC")
    subject_organisation_code = common.organisation_code(f"{_FORM} XK_XDR_ZZJG")
    subject_taxpayer_no = common.taxpayer_no(f"{_FORM} XK_XDR_SWDJ")
    subject_kind_code = common.subject_kind(f"{_FORM} XK_XDR_LB")
    item_name = common.text("项目名称", "Item of the list of powers that was decided.", "双公示 2015 XK_XMMC", 256)
    licence_kind_codes = f.Codes(
        "licence_kind", zh="许可类别", description="Kinds of licence.", source=f"{_FORM} XK_XKLB", facet=True
    )
    licence_no = common.text("许可编号", "Number of the licence itself.", f"{_FORM} XK_XKBH", 128)
    licence_name = common.text("许可证书名称", "Name of the licence.", f"{_FORM} XK_XKZS", 256)
    content = common.text("许可内容", "What is licensed.", f"{_FORM} XK_NR", 8000)
    decided_on = f.OnDate(
        required=True, zh="许可决定日期", description="Day of the decision.", source=f"{_FORM} XK_JDRQ", facet=True
    )
    valid_from_on = f.OnDate(zh="有效期自", description="First day of validity.", source=f"{_FORM} XK_YXQZ")
    valid_to_on = f.OnDate(
        open_ended=True,
        zh="有效期至",
        description="Last day of validity.",
        source=f"{_FORM} XK_YXQZI",
        facet=True,
    )
    authority_name = common.authority(f"{_FORM} XK_XKJG", zh="许可机关")
    authority_uscc = common.authority_uscc(f"{_FORM} XK_XKJGDM")
    legal_representative = common.legal_representative(f"{_FORM} XK_FRDB")
    legal_representative_id_no = common.personal(
        "法定代表人证件号码", "Identity document number of the legal representative.", f"{_FORM} XK_FR_SFZH"
    )
    status_code = f.Code(
        "licence_status", zh="当前状态", description="State of the licence.", source=f"{_FORM} XK_ZT", facet=True
    )
    publication_scope_code = common.publication_scope()
    region_code = common.region("地方编码", "Region of the deciding authority.", "双公示 2015 DFBM; GB/T 2260")
    updated_at = common.updated_at()
    remark = common.remark()
