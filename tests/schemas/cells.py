"""Cell texts as agencies send them, for every kind of field: right, nearly right and absurd. Synthetic codes only."""

from __future__ import annotations

from schemas import fields
from schemas.identifiers import organisation, registration, uscc

NOTHING = [None, "", " ", "无", "空", "N/A", "null", "—", "／", "--------", "“ 空 ”", "n a", "不 详", "「无」"]
ABSURD = [
    "\x00",
    "ab\x07c",
    "\ufeff",
    "x" * 500,
    "\u2028",
    "１２３",
    "ｅ\u0301",
    "🙂",
    "a\r\nb",
    "\x1f无",
    "\u3000空\u3000",
    "٣",
    "²",
]


def sound_uscc(body: str) -> str:
    """A unified code from its first 17 characters."""
    return body + uscc.check_character(body)


def sound_organisation(body: str) -> str:
    """An organisation code from its first eight characters."""
    return body + organisation.check_character(body)


USCC = [
    sound_uscc("91350100M000100Y4"),
    sound_uscc("N2330110MF1234567"),
    sound_uscc("91230199MA0000000"),
    sound_uscc("A1110000000000000"),
    sound_uscc("123301000000000001"[:17]),
]
ORGANISATION = [sound_organisation(body) for body in ("MA35K3N5", "00000000", "13830295", "ZZZZZZZZ")]
REGISTRATION = ["320404000009550"[:14] + registration.check_digit("32040400000955"), "320506NA000043X", "3209231100626"]

_SPECIMENS: dict[type, list[str]] = {
    fields.Uscc: [
        *USCC,
        USCC[0].lower(),
        "９" + USCC[0][1:],
        USCC[0][:17] + "0",
        "9.16204E+17",
        "916204000792737000",
        USCC[0][:8] + "-" + USCC[0][8:],
        " " + USCC[1],
        USCC[0] + "\n",
        "'" + USCC[0],
        "9133****ud4p7h",
    ],
    fields.OrganisationCode: [
        *ORGANISATION,
        "MA35K3N5-" + ORGANISATION[0][8],
        "ma35k3n5" + ORGANISATION[0][8],
        "000000001",
        "ABCDEFGHX",
        ORGANISATION[0] + "\n",
        "１" * 9,
    ],
    fields.RegistrationNo: [
        *REGISTRATION,
        "320404000009559",
        "320404000009558.0",
        "000000000000000",
        "企合苏总字第000063",
        "990404NA0000439",
        "9999999999999",
        REGISTRATION[0] + "\n",
    ],
    fields.TaxpayerNo: ["350100M000100Y4", *USCC, "99010" + "0" * 10, "11010119900101123X", "3" * 20, "3" * 17, "12"],
    fields.CustomsCode: ["3301964JX7", "3301164007", "AEOCN3301964JX7", "330196", "3301064007", "abcd964007"],
    fields.Gtin: [
        "6901234567892",
        "6901234567893",
        "69012345678920",
        "96385074",
        "690123456789",
        "6901234567892\n",
        "０" * 13,
    ],
    fields.FoodLicenceNo: ["SC10633019702613", "JY13101140093802", "sc10633019702613", "QS123456789012", "SC1"],
    fields.RegionCode: ["330110", "330203001", "230199", "000000", "33011", "３３０１１０", "330110.0"],
    fields.HsCode: ["0102290000", "010229", "0102.29", "9999999999", "01", "123456789"],
    fields.OnDate: [
        "2023-04-01",
        "2018-7-27",
        "2019-6-25 0:00:00",
        "2018/01/31",
        "20230401",
        "2023年4月1日",
        "2007.07.01",
        "45017",
        "45017.5",
        "946656000000",
        "2023-04-01T16:00:00Z",
        "2023-04-01T00:00:00+08:00",
        "1900-1-1",
        "1900-01-01",
        "9999-9-9",
        "9999-12-31",
        "2099/12/31",
        "2099-12-31",
        "长期",
        "2023-02-30",
        "2023-02-29",
        "2024-02-29",
        "0000-00-00",
        "0001-01-01T00:00:00+09:00",
        "9999-12-31T23:59:59-01:00",
        "1849-12-31",
        "2201-01-01",
        "2023105",
        "+2023-01-05",
        "2023-04-01 ",
        "2023-04-01\n",
        "2023-4-1/",
        "23-4-1",
        "2023-04",
        "202304",
        "4/1/2023",
        "２０２３－０４－０１",
        "2023/04-01",
        "2023-04-01 24:00:00",
        "20230401120000",
        "9" * 13,
    ],
    fields.AtInstant: [
        "2023-04-01 12:30:00",
        "2023-04-01T12:30:00",
        "2023-04-01 12:30",
        "2023-04-01T12:30:00.123Z",
        "2023-04-01 12:30:60",
        "2023-04-01",
        "1988-07-01 00:00:00",
        "1986-05-04 00:30:00",
        "946656000000",
        "45017.25",
        "2023-02-30 00:00:00",
        "2099-12-31 00:00:00",
        "1991-12-31 23:59:59",
        "2023-04-01 24:00:00",
        "2023-04-01 12:30:00\n",
        "1900-01-01 00:00:00",
        "20230401120000",
        "2023-04-01T23:00:00-11:00",
    ],
    fields.Amount: [
        "1000",
        "1,000",
        "１２",
        "12,345.60",
        "0.5",
        "137.0000",
        "0.000001",
        "0.0000001",
        "007",
        "-5",
        "-0",
        "+3",
        "1E+3",
        "300万元",
        "¥20",
        "1,00",
        "1_000.5",
        " 5 ",
        ".5",
        "5.",
        "0",
        "0.0",
        "1" * 16,
        "1" * 15,
        "1000\n",
        "999999999999999.999999",
        "nan",
        "inf",
        "12.5.1",
    ],
    fields.Count: [
        "3",
        "0",
        "03",
        "3.0",
        "3.5",
        "1,000",
        "-1",
        " 1",
        "1_0",
        "１",
        "1\n",
        "9" * 18,
        "9" * 30,
        "1000000000000",
        "1000000000001",
        "三",
    ],
    fields.YesNo: ["1", "0", "是", "否", "Y", "n", "TRUE", "false", "有", "也许", "１"],
    fields.IndustryCode: ["0111", "A0111", "A", "01", "B0111", "9800", "00", "a0111", "0111.0", "农业"],
    fields.EntityName: [
        "杭州示例食品有限公司",
        "示例(中国)有限公司",
        "示例（中国）有限公司 ",
        "123456",
        "ＡＢＣ公司",
        "Example Co., Ltd.",
        "——",
        "1/2",
        "ab\ncd",
        "无锡示例有限公司",
        "NA",
        "无",
    ],
    fields.Text: [
        "示例",
        " 示例 ",
        "NONE",
        "a b",
        "第1条；第2条",
        "换\n行",
        "空",
        "「空」",
        "x" * 129,
        "-",
        "—" * 50,
        "未发现不合格项目",
    ],
}
_SPECIMENS[fields.Quantity] = _SPECIMENS[fields.Amount]


def specimens(field: fields.SharedField) -> list[str | None]:  # type: ignore[type-arg]  # any field
    """Texts worth trying in this field; about half are right."""
    if isinstance(field, fields.Code | fields.Codes):
        words = [row.code for row in field.table.rows] + [row.name_zh for row in field.table.rows]
        odd = [
            f"{words[0]}.0",
            f" {words[0]} ",
            f"{words[0]};{words[-1]}",
            "；".join(words[:3]),
            "不存在的词",
            ";",
            words[0].lower(),
        ]
        return [*words, *odd, *NOTHING, *ABSURD]
    return [*_SPECIMENS[type(field)], *NOTHING, *ABSURD]
