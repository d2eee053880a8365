"""卫生许可: a hygiene licence of a public place or a medical institution, and its grade."""

from __future__ import annotations

from schemas import fields as f
from schemas.base import RecordSchema, Subject, not_before, same_organisation
from schemas.records import _common as common

_SOURCE = "卫健委前置库 FRXZXK; 公共场所卫生管理条例实施细则"


class HealthLicence(RecordSchema):
    """One licence of the health authority."""

    record_type = "health_licence"
    title_zh, title_en = "卫生许可", "Health licence"
    summary = "States that the health authority licensed a subject, and its hygiene grade."
    key = ("licence_no", "subject_name")
    subject = Subject(
        uscc="uscc",
        name="subject_name",
        registration_no="subject_registration_no",
        organisation_code="subject_organisation_code",
        address="subject_address",
    )
    rules = (
        not_before("valid_to_on", "decided_on", "有效期至不早于发证日期", "the licence ends not before the decision"),
        same_organisation("uscc", "subject_organisation_code"),
    )

    licence_no = f.Text(128, required=True, zh="许可证号", description="Number of the licence.", source=_SOURCE)
    uscc = common.uscc(source=f"{_SOURCE} 统一社会信用代码")
    subject_name = common.subject_name(f"{_SOURCE} 单位名称", zh="单位名称")
    subject_registration_no = common.registration_no(_SOURCE)
    subject_organisation_code = common.organisation_code(_SOURCE)
    item_name = common.text("许可项目", "What is licensed.", f"{_SOURCE} 许可项目", 500)
    content = common.text("许可内容", "Content of the licence.", f"{_SOURCE} 许可内容", 4000)
    legal_representative = common.legal_representative(_SOURCE)
    subject_address = common.address("地址", "Address of the licensed place.", f"{_SOURCE} 地址")
    decided_on = f.OnDate(zh="发证日期", description="Day of the decision.", source=_SOURCE, facet=True)
    valid_to_on = f.OnDate(
        open_ended=True, zh="有效期至", description="Last day of validity.", source=_SOURCE, facet=True
    )
    authority_name = common.authority(_SOURCE, zh="发证机关")
    grade_code = f.Code(
        "hygiene_grade",
        zh="量化等级",
        description="Hygiene grade of the place.",
        source="卫生监督量化分级",
        facet=True,
    )
    status_code = f.Code(
        "licence_status", zh="当前状态", description="State of the licence.", source=_SOURCE, facet=True
    )
    remark = common.remark(_SOURCE)
    updated_at = common.updated_at(f"{_SOURCE} 写入前置库时间")
