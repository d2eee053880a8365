"""Cells of the double publicity samples: one function a situation, mistakes included."""

from __future__ import annotations

from datetime import date

from connectors.sandbox.files_workbook import Cell
from tests.golden.sample_codes import (
    DAIRY,
    DAIRY_REGISTRATION,
    FARM,
    FARM_REGISTRATION,
    MILL,
    MILL_REGISTRATION,
    OFFICE,
    PERSON,
    SHOP,
    WRONG_CHECK,
)

Rows = list[list[Cell]]

NUMBERED_2015 = ("统一社会信用代码", "组织机构代码", "工商登记码", "税务登记号", "居民身份证号")
NUMBERED_2018 = ("统一社会信用代码", "工商注册号", "组织机构代码", "税务登记号", "事业单位证书号", "社会组织登记证号")
ORGAN = "杭州市余杭区市场监督管理局"
DAIRY_NAME = "成都晨牧乳业（集团）有限公司"


def numbered(pattern: str, words: tuple[str, ...]) -> list[Cell]:
    """The headings ``行政相对人代码_1(…)`` in the spelling of the pattern."""
    return [pattern.format(number, word) for number, word in enumerate(words, 1)]


# Rows of a table, to be read as such.
# fmt: off
def licences_2015() -> Rows:
    """Full-width brackets; 2099/12/31; status 1 means 撤销 here; a blank status; notes under the table."""
    return [
        ["双公示行政许可信息汇总表"],
        [
            "序号", "行政许可决定书文号", "项目名称", "行政许可编码", "审批类别", "许可内容", "行政相对人名称",
            *numbered("行政相对人代码_{}（{}）", NUMBERED_2015), "法定代表人姓名", "许可决定日期", "许可截止期",
            "许可机关", "当前状态", "地方编码", "数据更新时间戳", "备注", "信息使用范围",
        ],
        [
            "1", "（杭）市监许〔2024〕00001号", "食品生产许可", "330131001", "普通", "粮食加工品",
            "杭州启禾面粉有限公司", MILL, f"{MILL[8:16]}-{MILL[16]}", MILL_REGISTRATION, f"330110{MILL[8:17]}",
            None, "赵子涵", date(2024, 3, 5), "2029/03/04", ORGAN, "0", "330110", "2024/03/06", None, "0",
        ],
        [
            "2", "（成）市监许〔2024〕00002号", "食品生产许可", "330131001", "核准", "乳制品", DAIRY_NAME,
            float(DAIRY), None, None, None, None, "钱雨桐", "2024年3月7日", "2099/12/31", ORGAN, None, "510104",
            "2024/03/08", "/", "0",
        ],
        [
            "3", "（榕）市监许〔2024〕00003号", "食品经营许可", "330131001", "类别99", "热食类食品制售",
            "福州嘉衡经营部",
            SHOP.lower(),
            None, None, None, None, "孙浩然", "2024-3-9", "长期", ORGAN, "1", "350111", "2024/03/10", None, "0",
        ],
        [
            "4", "（榕）市监许〔2024〕00004号", "食品经营许可", "330131001", "普通", "热食类食品制售",
            "福州嘉衡经营部",
            SHOP.lower(),
            None, None, None, None, "孙浩然", "2024-3-9", "长期", ORGAN, "1", "350111", "2024/03/10", None, "0",
        ],
        ["表格说明：以上数据由行政审批处报送。"],
        ["注：带*为必填项。"],
    ]


def licences_2018() -> Rows:
    """``-1`` for ``_1``; code 2 is the registration number in this form; dates as serial, text and date cells."""

    def row(
        number: int, name: str, uscc: str, registration: str, decided: Cell, until: Cell, status: str
    ) -> list[Cell]:
        return [
            number, name, "法人及非法人组织", uscc, registration, None, None, None, None, "李思远", PERSON,
            None, None, "准予许可决定书", f"（杭）市监许〔2025〕{number:05d}号", "普通", "食品经营许可证",
            "JY13301080111719", "预包装食品销售", decided, decided, until, ORGAN, OFFICE, status, ORGAN, OFFICE,
            "无",
        ]

    return [
        [
            "序号", "行政相对人名称", "行政相对人类别", *numbered("行政相对人代码-{}（{}）", NUMBERED_2018),
            "法定代表人", "法定代表人身份证号", "证件类型", "证件号码", "行政许可决定文书名称",
            "行政许可决定文书号", "许可类别", "许可证书名称", "许可编号", "许可内容", "许可决定日期",
            "有效期自", "有效期至", "许可机关", "许可机关统一社会信用代码", "当前状态", "数据来源单位",
            "数据来源单位统一社会信用代码", "备注",
        ],
        row(1, "杭州启禾面粉有限公司", MILL, MILL_REGISTRATION, 45717, date(2099, 12, 31), "1"),
        row(2, "宿州穗禾农业科技专业合作社", FARM, FARM_REGISTRATION, date(2025, 3, 3), "9999-9-9", "2"),
        row(3, "杭州启禾面粉有限公司", WRONG_CHECK, "", "2025/03/04", "2024/03/04", "有效"),
    ]


def licences_numbered_three() -> Rows:
    """One system labels the USCC 代码_3: only the words in the brackets say which code it is."""
    rest: list[Cell] = [
        "食品经营许可", "普通", "散装食品销售", "福州嘉衡经营部", SHOP, None, None, None, "孙浩然",
        "2024/05/01", "2029/04/30", "福州市晋安区市场监督管理局", "0", "350111", "2024/05/02",
    ]
    return [
        [
            "行政许可决定书文号", "项目名称", "审批类别", "许可内容", "行政相对人名称",
            "行政相对人代码_3(统一社会信用代码)", "行政相对人代码_2(组织机构代码)",
            "行政相对人代码_3(工商登记码)", "行政相对人代码_4(税务登记号)", "法定代表人姓名", "许可决定日期",
            "许可截止期", "许可机关", "当前状态", "地方编码", "数据更新时间戳",
        ],
        ["空", *rest],
        ["（榕）市监许〔2024〕00009号", *rest],
    ]


def penalties_2015() -> Rows:
    """Two columns of kinds, one of them a local word; a placeholder for the code."""

    def row(number: int, first: str, second: str, uscc: str, decided: str) -> list[Cell]:
        return [
            f"（榕）市监罚〔2024〕{number:05d}号", "福州嘉衡经营部经营超期食品案", "330231001", first, second,
            "经营超过保质期的食品", "《中华人民共和国食品安全法》第一百二十四条", "福州嘉衡经营部", uscc, None,
            None, None, None, "孙浩然", "罚款5000元", decided, "福州市晋安区市场监督管理局", "0", "350111",
            "2024/04/02", None, "0", "1", "2025/04/01",
        ]

    return [
        [
            "行政处罚决定书文号", "处罚名称", "行政处罚编码", "处罚类别1", "处罚类别2", "处罚事由", "处罚依据",
            "行政相对人名称", *numbered("行政相对人代码_{} ({})", NUMBERED_2015), "法定代表人姓名", "处罚结果",
            "处罚决定日期", "处罚机关", "当前状态", "地方编码", "数据更新时间戳", "备注", "信息使用范围",
            "失信严重程度", "公示截止期",
        ],
        row(1, "罚款", "没收", SHOP, "2024/04/01"), row(2, "罚金", "", "无", "2024.03.30"),
        row(3, "训诫", "", SHOP, "2024/04/01"),
        ["合计：3件"],
    ]


def penalties_2018() -> Rows:
    """Several kinds in one cell; amounts in 万元; a fine written in 元 by mistake; a legacy number as USCC."""

    def row(number: int, uscc: str, kinds: str, fine: Cell, taken: Cell) -> list[Cell]:
        return [
            DAIRY_NAME, "法人及非法人组织", uscc, None, None, None, None, None, "钱雨桐", "身份证", PERSON,
            None, None, f"（成）市监罚〔2025〕{number:05d}号", "违反食品安全管理规定",
            "生产经营标签不符合规定的食品", "《食品安全法》第一百二十五条", kinds, "依法处罚", fine, taken,
            None, date(2025, 6, 1), "2099/12/31", "2028/06/01", ORGAN, OFFICE, ORGAN, OFFICE, None,
        ]

    return [
        ["双公示行政处罚信息汇总表（单位：万元）"],
        ["行政相对人信息", *[None] * 12, "行政处罚决定信息"],
        [
            "行政相对人名称", "行政相对人类别", *numbered("行政相对人代码＿{}({})", NUMBERED_2018),
            "法定代表人", "法定代表人证件类型", "法定代表人证件号码", "证件类型", "证件号码",
            "行政处罚决定书文号", "违法行为类型", "违法事实", "处罚依据", "处罚类别", "处罚内容",
            "罚款金额（万元）", "没收违法所得、没收非法财物的金额（万元）", "暂扣或吊销证照名称及编号",
            "处罚决定日期", "处罚有效期", "公示截止期", "处罚机关", "处罚机关统一社会信用代码", "数据来源单位",
            "数据来源单位统一社会信用代码", "备注",
        ],
        row(1, DAIRY, "罚款;没收违法所得、没收非法财物", "0.500000", 1.25),
        row(2, DAIRY, "警告；罚款", "5000元", None), row(3, DAIRY_REGISTRATION, "警告", None, None),
        ["表格说明：金额单位为万元。"],
    ]
