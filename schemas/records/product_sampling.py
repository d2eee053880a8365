"""抽检: one item tested on one sample of a product. Producer and sampled unit are two subjects."""

from __future__ import annotations

import polars as pl

from schemas import fields as f
from schemas.base import RecordSchema, Rule, Subject, not_before
from schemas.records import _common as common

_SOURCE = "食品安全抽样检验管理办法; 抽检公布表"

NO_FAILED_ITEM = "未发现不合格项目"
"""What the published tables write for a sample without a failed item."""

_FAILED = "2"


class ProductSampling(RecordSchema):
    """One tested item of one sample."""

    record_type = "product_sampling"
    title_zh, title_en = "产品抽检", "Product sampling"
    summary = "States the result of testing one item of a sampled product."
    key = ("sampling_no", "item")
    subject = Subject(uscc="uscc", name="subject_name", address="subject_address", region_code="region_code")
    rules = (
        not_before("notice_on", "produced_on", "公告日期不早于生产日期", "the notice is not before production"),
        Rule(
            "rule.failed_sample_names_item",
            "检验结论为不合格，但未写明不合格项目；请补充。仅提示。",
            "The sample failed but no failed item is named; please add it. A remark only.",
            ("item", "result_code"),
            lambda row: row["result_code"] != _FAILED or row["item"] != NO_FAILED_ITEM,
            lambda: (pl.col("result_code") != _FAILED) | (pl.col("item") != NO_FAILED_ITEM),
            warning=True,
        ),
    )

    sampling_no = f.Text(
        64, required=True, zh="抽样编号", description="Number of the sample.", source=f"{_SOURCE} 抽样编号"
    )
    item = f.Text(
        256,
        when_empty=NO_FAILED_ITEM,
        zh="检验项目",
        description=f"Item tested; a conforming sample that names none has {NO_FAILED_ITEM}.",
        source=f"{_SOURCE} 不合格项目",
    )
    uscc = common.uscc(zh="生产企业统一社会信用代码")
    subject_name = common.subject_name(f"{_SOURCE} 标称生产企业名称", zh="标称生产企业名称")
    subject_address = common.address(
        "标称生产企业地址", "Address of the producer on the label.", f"{_SOURCE} 标称生产企业地址"
    )
    sampled_name = f.EntityName(
        zh="被抽样单位名称", description="Where the sample was taken.", source=f"{_SOURCE} 被抽样单位名称"
    )
    sampled_address = common.address(
        "被抽样单位地址", "Address where the sample was taken.", f"{_SOURCE} 被抽样单位地址"
    )
    sampled_uscc = f.Uscc(
        zh="被抽样单位统一社会信用代码", description="Unified code of the sampled unit.", source="GB 32100-2015"
    )
    product_name = f.Text(
        256, required=True, zh="样品名称", description="Product sampled.", source=f"{_SOURCE} 样品名称"
    )
    gtin = f.Gtin(zh="商品条码", description="Trade item number on the package.", source="GB 12904")
    specification = common.text("规格型号", "Size or model.", f"{_SOURCE} 规格型号")
    trademark = common.text("商标", "Trademark on the label.", f"{_SOURCE} 商标")
    produced_on = f.OnDate(zh="生产日期", description="Day of production on the label.", source=f"{_SOURCE} 生产日期")
    batch_no = common.text("批号", "Batch on the label.", f"{_SOURCE} 生产日期/批号", 100)
    shelf_life = common.text("保质期", "Shelf life on the label.", f"{_SOURCE} 保质期", 100)
    result_code = f.Code(
        "sampling_result", required=True, zh="检验结论", description="Conforming or not.", source=_SOURCE, facet=True
    )
    measured_value = common.text("检验值", "Value found, with its unit.", f"{_SOURCE} 检验值", 500)
    standard_value = common.text("标准值", "Limit of the standard, with its unit.", f"{_SOURCE} 标准值", 500)
    inspection_body = f.EntityName(zh="检验机构", description="Body that tested.", source=f"{_SOURCE} 检验机构")
    food_category = f.Text(
        100, zh="食品类别", description="Category of the product.", source=f"{_SOURCE} 食品细类", facet=True
    )
    notice_no = common.text("公告号", "Notice that published the result.", f"{_SOURCE} 公告号", 100)
    notice_on = f.OnDate(zh="公告日期", description="Day of the notice.", source=f"{_SOURCE} 公告日期", facet=True)
    task_source = common.text("任务来源", "Programme the sampling belongs to.", f"{_SOURCE} 任务来源/项目名称")
    remark = common.remark(f"{_SOURCE} 备注")
    region_code = common.region("抽样地行政区划代码", "Region where the sample was taken.")
