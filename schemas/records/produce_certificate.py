"""承诺达标合格证: a producer or purchaser vouches for a batch of farm produce."""

from __future__ import annotations

from schemas import fields as f
from schemas.base import RecordSchema, Subject
from schemas.records import _common as common

_SOURCE = "农业农村部令2025年第4号"


class ProduceCertificate(RecordSchema):
    """One certificate for one batch."""

    record_type = "produce_certificate"
    title_zh, title_en = "承诺达标合格证", "Produce conformity certificate"
    summary = "States that a subject vouched for a batch of farm produce, and on what basis."
    key = ("certificate_no",)
    subject = Subject(uscc="uscc", name="subject_name", address="origin_place", region_code="region_code")

    certificate_no = f.Text(
        64, required=True, zh="合格证编号", description="Number of the certificate.", source=_SOURCE
    )
    subject_kind_code = f.Code(
        "certificate_subject",
        zh="承诺主体类型",
        description="Producer or purchaser.",
        source=_SOURCE,
        facet=True,
    )
    uscc = common.uscc()
    subject_name = common.subject_name(f"{_SOURCE} 承诺主体", zh="承诺主体名称")
    product_name = f.Text(256, required=True, zh="产品名称", description="Produce vouched for.", source=_SOURCE)
    quantity = f.Quantity(
        zh="数量", description="Amount of produce, in the unit beside it.", source=f"{_SOURCE} 数量（重量）"
    )
    quantity_unit = common.text("数量单位", "Unit of the quantity.", f"{_SOURCE} 数量（重量）", 20)
    origin_place = common.address("产地", "Place of production.", f"{_SOURCE} 产地")
    region_code = common.region("产地行政区划代码", "Region of production.")
    contact_phone = common.personal("联系方式", "Telephone on the certificate.", f"{_SOURCE} 联系方式")
    issued_on = f.OnDate(
        required=True, zh="开具日期", description="Day the certificate was issued.", source=_SOURCE, facet=True
    )
    commitments = common.text("承诺事项", "What is vouched for.", f"{_SOURCE} 承诺事项", 2000)
    basis_codes = f.Codes(
        "certificate_basis", required=True, zh="承诺依据", description="What the promise rests on.", source=_SOURCE
    )
    batch_no = common.text("批次", "Batch of produce.", f"{_SOURCE} 批次", 100)
    status_code = f.Code("certificate_status", zh="状态", description="Valid or void.", source=_SOURCE, facet=True)
