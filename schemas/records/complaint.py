"""投诉举报: one complaint or report about a subject and what became of it."""

from __future__ import annotations

from schemas import fields as f
from schemas.base import RecordSchema, Subject, not_before
from schemas.records import _common as common

_SOURCE = "市场监督管理投诉举报处理暂行办法; 全国12315平台"


class Complaint(RecordSchema):
    """One complaint."""

    record_type = "complaint"
    title_zh, title_en = "投诉举报", "Complaint"
    summary = "States that somebody complained about a subject, and the outcome."
    sensitivity = "shared"
    key = ("complaint_no",)
    subject = Subject(uscc="uscc", name="subject_name", address="subject_address", region_code="region_code")
    rules = (not_before("closed_on", "received_on", "办结日期不早于接收日期", "closing is not before receipt"),)

    complaint_no = f.Text(64, required=True, zh="登记编号", description="Number of the complaint.", source=_SOURCE)
    kind_code = f.Code(
        "complaint_kind", required=True, zh="类别", description="Complaint or report.", source=_SOURCE, facet=True
    )
    uscc = common.uscc()
    subject_name = common.subject_name(_SOURCE, zh="被投诉举报人名称")
    subject_address = common.address("被投诉举报人地址", "Address of the subject.", _SOURCE)
    region_code = common.region("行政区划代码", "Region of the handling body.")
    received_on = f.OnDate(
        required=True, zh="接收日期", description="Day the complaint was received.", source=_SOURCE, facet=True
    )
    channel = common.text("来源渠道", "How it came in.", _SOURCE, 50)
    topic = f.Text(200, zh="问题类别", description="What it is about.", source=_SOURCE, facet=True)
    content = common.text("内容", "The complaint in words.", _SOURCE, 8000, sensitivity="restricted")
    complainant_name = common.personal("投诉举报人姓名", "Name of the person who complained.", _SOURCE, 100)
    complainant_phone = common.personal("投诉举报人电话", "Telephone of that person.", _SOURCE)
    status_code = f.Code(
        "complaint_status", zh="办理状态", description="State of the case.", source=_SOURCE, facet=True
    )
    closed_on = f.OnDate(zh="办结日期", description="Day the case was closed.", source=_SOURCE, facet=True)
    result = common.text("处理结果", "Outcome in words.", _SOURCE, 4000)
