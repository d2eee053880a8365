"""未准入境: one consignment refused entry. Only the importer's name and filing number tell whom it concerns."""

from __future__ import annotations

from schemas import fields as f
from schemas.base import RecordSchema, Subject
from schemas.records import _common as common

_SOURCE = "海关总署 未准入境食品信息"


class ImportRefusal(RecordSchema):
    """One line of a notice of refused imports."""

    record_type = "import_refusal"
    title_zh, title_en = "未准入境", "Import refusal"
    summary = "States that a consignment was refused entry, and why."
    key = ("notice_no", "line_no")
    subject = Subject(name="subject_name")

    notice_no = f.Text(64, required=True, zh="公告编号", description="Number of the notice.", source=_SOURCE)
    line_no = f.Text(20, required=True, zh="序号", description="Line of the notice.", source=_SOURCE)
    hs_code = f.HsCode(zh="HS编码", description="Commodity code.", source=f"{_SOURCE} HS编码", facet=True)
    inspection_no = common.text("检验检疫编号", "Number of the inspection.", f"{_SOURCE} 检验检疫编号", 64)
    product_name = f.Text(256, required=True, zh="产品名称", description="Product refused.", source=_SOURCE)
    origin_country = f.Text(100, zh="产地", description="Country or region of origin.", source=_SOURCE, facet=True)
    foreign_producer = common.text("生产企业信息", "Foreign producer, as written.", f"{_SOURCE} 生产企业信息", 500)
    subject_name = common.subject_name(f"{_SOURCE} 进口商信息", zh="进口商名称")
    importer_filing_no = common.text("进口商备案号", "Filing number of the importer.", f"{_SOURCE} 进口商备案号", 32)
    weight_kg = f.Quantity(unit="千克", zh="重量", description="Net weight.", source=f"{_SOURCE} 重量(kg)")
    facts = f.Text(2000, required=True, zh="未准入境的事实", description="Why entry was refused.", source=_SOURCE)
    port_of_entry = f.Text(100, zh="进境口岸", description="Port of entry.", source=f"{_SOURCE} 进境口岸", facet=True)
    refused_month = f.Text(7, zh="未准入境年月", description="Month of refusal, YYYY-MM.", source=_SOURCE, facet=True)
