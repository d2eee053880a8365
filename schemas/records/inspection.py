"""双随机检查: one inspection of one subject and its result."""

from __future__ import annotations

from schemas import fields as f
from schemas.base import RecordSchema, Subject
from schemas.records import _common as common

_SOURCE = "双随机、一公开 (国办发〔2015〕58号)"


class Inspection(RecordSchema):
    """One subject inspected in one task."""

    record_type = "inspection"
    title_zh, title_en = "监督检查", "Inspection"
    summary = "States that a subject was inspected, and what was found."
    key = ("task_no", "subject_name")
    subject = Subject(uscc="uscc", name="subject_name", region_code="region_code")

    task_no = f.Text(64, required=True, zh="任务编号", description="Number of the inspection task.", source=_SOURCE)
    uscc = common.uscc()
    subject_name = common.subject_name(_SOURCE, zh="检查对象名称")
    plan_name = common.text("抽查计划名称", "Plan the inspection belongs to.", _SOURCE)
    kind_code = f.Code("inspection_kind", zh="检查类型", description="Kind of inspection.", source=_SOURCE, facet=True)
    inspected_on = f.OnDate(
        required=True, zh="检查日期", description="Day of the inspection.", source=_SOURCE, facet=True
    )
    authority_name = common.authority(_SOURCE, zh="检查机关")
    result_code = f.Code(
        "inspection_result",
        required=True,
        zh="检查结果",
        description="What was found.",
        source=_SOURCE,
        facet=True,
    )
    result_detail = common.text("检查结果说明", "What was found, in words.", _SOURCE, 4000)
    is_address_reachable = f.YesNo(
        zh="住所能否联系", description="Whether the subject was found at its address.", source=_SOURCE, facet=True
    )
    region_code = common.region("检查机关行政区划代码", "Region of the inspecting body.")
