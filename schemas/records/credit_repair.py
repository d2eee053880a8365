"""信用修复: an application to have a listing or a published penalty ended, and its outcome."""

from __future__ import annotations

from schemas import fields as f
from schemas.base import RecordSchema, Subject, not_before
from schemas.records import _common as common

_SOURCE = "信用平台 DT_ENTERPRISE_REPAIR"


class CreditRepair(RecordSchema):
    """One case of credit repair."""

    record_type = "credit_repair"
    title_zh, title_en = "信用修复", "Credit repair"
    summary = "States that a subject applied for credit repair, and what was decided."
    sensitivity = "shared"
    key = ("case_no",)
    subject = Subject(uscc="uscc", name="subject_name", registration_no="subject_registration_no")
    rules = (
        not_before("decided_on", "applied_on", "决定日期不早于申请日期", "the decision is not before the application"),
    )

    case_no = f.Text(64, required=True, zh="修复编号", description="Number of the case.", source=_SOURCE)
    uscc = common.uscc(source=f"{_SOURCE} 主体代码")
    subject_name = common.subject_name(f"{_SOURCE} 主体名称")
    subject_registration_no = common.registration_no(f"{_SOURCE} 主体代码")
    topic = common.text("修复主题", "What is to be repaired.", f"{_SOURCE} 修复主题", 1000)
    applied_on = f.OnDate(
        required=True, zh="申请日期", description="Day of the application.", source=f"{_SOURCE} 申请时间", facet=True
    )
    handler_name = common.personal("经办人姓名", "Name of the person who applied.", f"{_SOURCE} 经办人", 100)
    handler_id_no = common.personal("经办人证件号码", "Identity number of that person.", f"{_SOURCE} 经办人身份证")
    handler_phone = common.personal("经办人电话", "Telephone of that person.", f"{_SOURCE} 经办人电话")
    status_code = f.Code(
        "repair_status", zh="办理状态", description="State of the case.", source=f"{_SOURCE} 审核", facet=True
    )
    decided_on = f.OnDate(zh="决定日期", description="Day of the decision.", source=f"{_SOURCE} 审核", facet=True)
    remark = common.remark(f"{_SOURCE} 备注")
    penalty_document_no = common.text(
        "处罚决定书文号", "Number of the penalty concerned.", "国家发展改革委令第58号 (2023)", 128
    )
