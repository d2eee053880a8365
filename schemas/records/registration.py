"""主体登记: who an entity is, as its registry knows it. The base of every other record."""

from __future__ import annotations

from schemas import fields as f
from schemas.base import RecordSchema, Subject, not_before, same_organisation
from schemas.records import _common as common

_GB = "GB/T 36104-2018"


class Registration(RecordSchema):
    """One entity in the register of market supervision."""

    record_type = "registration"
    title_zh, title_en = "主体登记", "Entity registration"
    summary = "States the registered facts of one entity: name, status, capital, scope, address."
    key = ("uscc",)
    subject = Subject(
        uscc="uscc",
        name="name",
        registration_no="registration_no",
        organisation_code="organisation_code",
        address="address",
        region_code="region_code",
    )
    rules = (
        not_before("valid_to_on", "valid_from_on", "营业期限止不早于营业期限起", "the term ends not before it begins"),
        not_before("approved_on", "established_on", "核准日期不早于成立日期", "approval is not before establishment"),
        same_organisation("uscc", "organisation_code"),
    )

    uscc = common.uscc(required=True, source=f"{_GB} tyshxydm; GB 32100-2015")
    name = f.EntityName(required=True, zh="名称", description="Registered name of the entity.", source=f"{_GB} jgmc")
    name_history = common.text("曾用名", "Former names, joined by semicolons, newest first.", f"{_GB} jgmc", 2000)
    registration_no = common.registration_no(f"{_GB} zch; GS15-2006")
    organisation_code = common.organisation_code(f"{_GB} zzjgdm; GB 11714-1997")
    entity_type_code = common.text(
        "主体类型代码", "Type of entity in the registry's own code list.", f"{_GB} jjlxdm", 20
    )
    status_code = f.Code(
        "entity_status", zh="主体状态", description="State of the registration.", source=f"{_GB} zt", facet=True
    )
    legal_representative = common.legal_representative()
    legal_representative_id_no = common.personal(
        "法定代表人证件号码", "Identity document number of the legal representative.", f"{_GB} fddbrzjhm"
    )
    registered_capital_wan = f.Amount(
        "万（币种见注册资本币种）",
        8,
        zh="注册资本",
        description="Registered capital in ten thousands of the currency named beside it.",
        source=f"{_GB} zczj n..24,8",
    )
    registered_capital_currency_code = f.Code(
        "currency",
        zh="注册资本币种",
        description="Currency of the registered capital.",
        source=f"{_GB} hbzl; GB/T 12406",
    )
    established_on = f.OnDate(
        zh="成立日期", description="Day the entity was established.", source=f"{_GB} clrq", facet=True
    )
    approved_on = f.OnDate(zh="核准日期", description="Day the latest change was approved.", source=f"{_GB} hzrq")
    valid_from_on = f.OnDate(zh="营业期限自", description="First day of the term of business.", source=f"{_GB} yxqz")
    valid_to_on = f.OnDate(
        open_ended=True, zh="营业期限至", description="Last day of the term of business.", source=f"{_GB} yxqzhi"
    )
    business_scope = common.text("经营范围", "What the entity may do.", f"{_GB} jyfw", 20_000)
    industry_code = f.IndustryCode(
        zh="行业代码", description="Industry, GB/T 4754, without its section letter.", source=f"{_GB} jjhydm; GB/T 4754"
    )
    industry_edition = f.Code(
        "industry_edition",
        zh="行业代码版本",
        description="Edition of GB/T 4754 the industry code is from: the same digits mean other things in others.",
        source="GB/T 4754-2011, -2017",
    )
    registration_authority = f.EntityName(
        zh="登记机关", description="Body that registered the entity.", source=f"{_GB} djglbmmc"
    )
    region_code = common.region("住所行政区划代码", "Region of the registered address.", f"{_GB} zcdzxzqhdm; GB/T 2260")
    address = common.address("住所", "Registered address.", f"{_GB} zcdz")
    business_address = common.address("经营场所", "Where business is carried on, if elsewhere.", f"{_GB} scjydz")
    province_name = common.text("所在省份", "Name of the province, where no code is sent.", "company list", 50)
    city_name = common.text("所在地市", "Name of the city, where no code is sent.", "company list", 50)
    contact_phone = common.personal("联系电话", "Telephone of the contact person.", f"{_GB} lxdh")
    grid_code = common.text("网格编码", "Supervision grid the entity belongs to.", "安徽 智慧化+信用化+网格化", 50)
