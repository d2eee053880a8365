"""追溯: one step of a batch on its way, one up and one down."""

from __future__ import annotations

from schemas import fields as f
from schemas.base import RecordSchema, Subject
from schemas.records import _common as common

_SOURCE = "NY/T 1761; 重要产品追溯数据统一共享交换"


class TraceEvent(RecordSchema):
    """One event in the life of one batch."""

    record_type = "trace_event"
    title_zh, title_en = "追溯事件", "Trace event"
    summary = "States that a batch was produced, processed, moved or sold, by whom and to whom."
    sensitivity = "shared"
    key = ("event_id",)
    subject = Subject(uscc="uscc", name="subject_name")

    event_id = f.Text(64, required=True, zh="事件编号", description="Number of the event.", source=_SOURCE)
    event_kind_code = f.Code(
        "trace_event_kind", required=True, zh="环节", description="Kind of event.", source=_SOURCE, facet=True
    )
    uscc = common.uscc()
    subject_name = common.subject_name(_SOURCE)
    counterpart_uscc = f.Uscc(
        zh="对方统一社会信用代码", description="Unified code of the other party.", source="GB 32100-2015"
    )
    counterpart_name = f.EntityName(zh="对方名称", description="Name of the other party.", source=_SOURCE)
    product_name = f.Text(256, required=True, zh="产品名称", description="Product concerned.", source=_SOURCE)
    gtin = f.Gtin(zh="商品条码", description="Trade item number.", source="GB 12904")
    batch_no = f.Text(100, required=True, zh="批次", description="Batch concerned.", source=_SOURCE)
    quantity = f.Quantity(zh="数量", description="Amount, in the unit beside it.", source=_SOURCE)
    quantity_unit = common.text("数量单位", "Unit of the quantity.", _SOURCE, 20)
    certificate_no = common.text(
        "合格证编号", "Conformity certificate the batch carries.", "农业农村部令2025年第4号", 64
    )
    occurred_at = f.AtInstant(required=True, zh="发生时间", description="When it happened.", source=_SOURCE)
    place = common.address("地点", "Where it happened.", _SOURCE)
