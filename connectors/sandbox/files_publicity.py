"""行政许可 and 行政处罚 of the double publicity, as uploaded: the 2015 form and the 2018 form.

``行政相对人代码_2`` is the organisation code in the 2015 form and the registration number in the 2018 form
(发改办财金〔2018〕424号); only the words in brackets say which.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from connectors.sandbox import codes
from connectors.sandbox.dirt import Dirt, Row
from connectors.sandbox.happenings import Happening, happenings
from connectors.sandbox.world import OPEN_END, SandboxEntity, World

USCC = "行政相对人代码_1(统一社会信用代码)"
SUBJECT_2015 = {
    "uscc": USCC,
    "organisation": "行政相对人代码_2(组织机构代码)",
    "registration": "行政相对人代码_3(工商登记码)",
    "taxpayer": "行政相对人代码_4(税务登记号)",
}
SUBJECT_2018 = {
    "uscc": USCC,
    "registration": "行政相对人代码_2(工商注册号)",
    "organisation": "行政相对人代码_3(组织机构代码)",
    "taxpayer": "行政相对人代码_4(税务登记号)",
}
NUMBERED_2015, NUMBERED_2018 = tuple(SUBJECT_2015.values()), tuple(SUBJECT_2018.values())
"""Headings of the subject's codes, whose spelling varies."""
LICENCE_DATES_2015 = ("许可决定日期", "许可截止期", "数据更新时间戳")
CASES = (
    (
        "经营超过保质期的食品",
        "《中华人民共和国食品安全法》第一百二十四条第一款第五项",
        "罚款;没收违法所得、没收非法财物",
    ),
    ("未按规定公示价格", "《中华人民共和国价格法》第四十二条", "警告"),
    ("生产不符合强制性标准的产品", "《中华人民共和国产品质量法》第四十九条", "罚款;责令停产停业"),
    ("发布虚假广告", "《中华人民共和国广告法》第五十五条第一款", "罚款"),
    ("未经许可从事食品经营活动", "《中华人民共和国食品安全法》第一百二十二条第一款", "罚款;没收违法所得、没收非法财物"),
)
KINDS = ("普通", "普通", "核准", "登记", "认可")


def licensed(world: World) -> Iterator[SandboxEntity]:
    """Who holds a licence of market supervision: food makers, sellers and caterers."""
    return (entity for entity in world.entities if entity.food_licence_no)


def licences(world: World) -> list[Happening]:
    """Every licence decision up to today."""
    return happenings(world, "licence", licensed)


def penalties(world: World) -> list[Happening]:
    """Every penalty decision up to today."""
    return happenings(world, "penalty", lambda w: w.having("penalised"))


def authority_uscc(entity: SandboxEntity) -> str:
    """An invented code of the county's administration: class 11, its region, an organisation nobody has."""
    return codes.uscc("11", entity.region_code, codes.organisation_code(f"99{entity.region_code}"))


def document_no(event: Happening, kind: str) -> str:
    """Place, kind, year and serial as offices number decisions."""
    return f"（{event.entity.place.city[0]}）市监{kind}〔{event.on.year}〕{event.serial:05d}号"


def licence_2015(event: Happening, dirt: Dirt, number: int) -> Row:
    """One row of the 2015 form; dates are ``2026/06/30``, 2099/12/31 means long-term."""
    rng, entity = event.rng, event.entity
    row: Row = {
        "序号": str(number),
        "行政许可决定书文号": document_no(event, "许"),
        "项目名称": "食品经营许可" if "JY" in str(entity.food_licence_no) else "食品生产许可",
        "行政许可编码": f"3301310{event.serial % 90:02d}",
        "审批类别": rng.choice(KINDS),
        "许可内容": f"许可证编号：{entity.food_licence_no}；经营场所：{entity.business_address}",
        "行政相对人名称": entity.name,
        **_subject(entity, SUBJECT_2015),
        "行政相对人代码_5(居民身份证号)": "",
        "法定代表人姓名": entity.legal_representative,
        "许可机关": entity.registration_authority,
        "当前状态": rng.choices(("0", "", "1", "2"), (90, 5, 3, 2))[0],
        "地方编码": entity.region_code,
        "备注": "",
        "信息使用范围": "0",
    }
    ends = OPEN_END if rng.random() < 0.2 else event.on + timedelta(days=5 * 365)
    dates = dict(zip(LICENCE_DATES_2015, (event.on, ends, event.noted_on), strict=True))
    return _soiled(row, dirt, ("审批类别",), dates, SUBJECT_2015)


def licence_2018(event: Happening, dirt: Dirt, number: int) -> Row:
    """One row of the 2018 form."""
    rng, entity = event.rng, event.entity
    business = "JY" in str(entity.food_licence_no)
    row: Row = {
        "序号": str(number),
        "行政相对人名称": entity.name,
        "行政相对人类别": "个体工商户" if entity.kind == "sole_trader" else "法人及非法人组织",
        **_subject(entity, SUBJECT_2018),
        "行政相对人代码_5(事业单位证书号)": "",
        "行政相对人代码_6(社会组织登记证号)": "",
        "法定代表人": entity.legal_representative,
        "法定代表人身份证号": entity.legal_representative_id_no,
        "证件类型": "",
        "证件号码": "",
        "行政许可决定文书名称": "准予行政许可决定书",
        "行政许可决定文书号": document_no(event, "许"),
        "许可类别": rng.choice(KINDS),
        "许可证书名称": "食品经营许可证" if business else "食品生产许可证",
        "许可编号": entity.food_licence_no,
        "许可内容": "预包装食品销售；热食类食品制售" if business else "按许可品种明细表生产",
        "许可机关": entity.registration_authority,
        "许可机关统一社会信用代码": authority_uscc(entity),
        "当前状态": rng.choices(("1", "有效", "2"), (80, 15, 5))[0],
        "数据来源单位": entity.registration_authority,
        "数据来源单位统一社会信用代码": authority_uscc(entity),
        "备注": rng.choice(("", "", "/")),
    }
    ends = OPEN_END if rng.random() < 0.2 else event.on + timedelta(days=5 * 365)
    dates = {"许可决定日期": event.on, "有效期自": event.on, "有效期至": ends}
    return _soiled(row, dirt, ("许可类别",), dates, SUBJECT_2018)


def penalty_2015(event: Happening, dirt: Dirt, number: int) -> Row:
    """One row of the 2015 form: two columns of kinds, no amounts."""
    rng, entity = event.rng, event.entity
    facts, basis, kinds = rng.choice(CASES)
    first, _, second = kinds.partition(";")
    row: Row = {
        "序号": str(number),
        "行政处罚决定书文号": document_no(event, "罚"),
        "处罚名称": f"{entity.name}{facts}案",
        "行政处罚编码": f"3302310{event.serial % 90:02d}",
        "处罚类别1": first,
        "处罚类别2": second,
        "处罚事由": facts,
        "处罚依据": basis,
        "行政相对人名称": entity.name,
        **_subject(entity, SUBJECT_2015),
        "行政相对人代码_5(居民身份证号)": "",
        "法定代表人姓名": entity.legal_representative,
        "处罚结果": f"罚款{rng.randrange(1, 50)}000元" if "罚款" in kinds else "警告，责令改正",
        "处罚机关": entity.registration_authority,
        "当前状态": rng.choices(("0", "1", "2"), (94, 3, 3))[0],
        "地方编码": entity.region_code,
        "备注": "",
        "信息使用范围": "0",
        "失信严重程度": rng.choice("0112"),
    }
    dates = {
        "处罚决定日期": event.on,
        "数据更新时间戳": event.noted_on,
        "公示截止期": event.on + timedelta(days=365),
    }
    return _soiled(row, dirt, ("处罚类别1",), dates, SUBJECT_2015)


def penalty_2018(event: Happening, dirt: Dirt, number: int) -> Row:
    """One row of the 2018 form: several kinds in one cell, amounts in 万元 with six decimals."""
    rng, entity = event.rng, event.entity
    facts, basis, kinds = rng.choice(CASES)
    confiscated = f"{rng.randrange(1, 90_000) / 10_000:.6f}" if "没收" in kinds else ""
    row: Row = {
        "序号": str(number),
        "行政相对人名称": entity.name,
        "行政相对人类别": "个体工商户" if entity.kind == "sole_trader" else "法人及非法人组织",
        **_subject(entity, SUBJECT_2018),
        "行政相对人代码_5(事业单位证书号)": "",
        "行政相对人代码_6(社会组织登记证号)": "",
        "法定代表人": entity.legal_representative,
        "法定代表人证件类型": "身份证",
        "法定代表人证件号码": entity.legal_representative_id_no,
        "证件类型": "",
        "证件号码": "",
        "行政处罚决定书文号": document_no(event, "罚"),
        "违法行为类型": f"违反{basis[1 : basis.index('》')]}",
        "违法事实": facts,
        "处罚依据": basis,
        "处罚类别": kinds,
        "处罚内容": f"依法予以处罚：{kinds.replace(';', '，')}",
        "罚款金额（万元）": f"{rng.randrange(1, 500_000) / 10_000:.6f}" if "罚款" in kinds else "",
        "没收违法所得、没收非法财物的金额（万元）": confiscated,
        "暂扣或吊销证照名称及编号": "",
        "处罚机关": entity.registration_authority,
        "处罚机关统一社会信用代码": authority_uscc(entity),
        "数据来源单位": entity.registration_authority,
        "数据来源单位统一社会信用代码": authority_uscc(entity),
        "备注": "",
    }
    dates = {"处罚决定日期": event.on, "处罚有效期": OPEN_END, "公示截止期": event.on + timedelta(days=1095)}
    return _soiled(row, dirt, ("处罚类别",), dates, SUBJECT_2018)


def _subject(entity: SandboxEntity, headings: dict[str, str]) -> Row:
    said = {
        "uscc": entity.uscc,
        "organisation": f"{entity.organisation_code[:8]}-{entity.organisation_code[8:]}",
        "registration": entity.registration_no,
        "taxpayer": entity.taxpayer_no,
    }
    return {heading: said[name] for name, heading in headings.items()}


def _soiled(row: Row, dirt: Dirt, words: tuple[str, ...], dates: dict[str, date], subject: dict[str, str]) -> Row:
    return dirt.row(
        row,
        code=subject["uscc"],
        legacy=subject["registration"],
        name="行政相对人名称",
        words=words,
        dates=dates,
        usual="slash",
    )
