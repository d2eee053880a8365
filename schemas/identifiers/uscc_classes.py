"""Registering authorities and classes of the unified code, GB 32100-2015 table 1 with amendment 1 (2016).

An older public table gives A to tourism, B to religion and C to trade unions: that is a draft, not the standard.
"""

from __future__ import annotations

AUTHORITIES: dict[str, tuple[str, str]] = {
    "1": ("机构编制", "public sector reform office"),
    "2": ("外交", "foreign affairs"),
    "3": ("司法行政", "justice administration"),
    "4": ("文化", "culture"),
    "5": ("民政", "civil affairs"),
    "6": ("旅游", "tourism"),
    "7": ("宗教", "religious affairs"),
    "8": ("工会", "trade unions"),
    "9": ("工商", "market supervision"),
    "A": ("中央军委改革和编制办公室", "military reform office"),
    "N": ("农业", "agriculture"),
    "Y": ("其他", "other"),
}
"""First character → (中文, English)."""

CLASSES: dict[str, tuple[str, str]] = {
    "11": ("机关", "government body"),
    "12": ("事业单位", "public institution"),
    "13": ("编办直接管理机构编制的群众团体", "mass organisation under the reform office"),
    "19": ("其他", "other"),
    "21": ("外国常驻新闻机构", "resident foreign news bureau"),
    "29": ("其他", "other"),
    "31": ("律师执业机构", "law firm"),
    "32": ("公证处", "notary office"),
    "33": ("基层法律服务所", "local legal service office"),
    "34": ("司法鉴定机构", "forensic institution"),
    "35": ("仲裁委员会", "arbitration commission"),
    "39": ("其他", "other"),
    "41": ("外国在华文化中心", "foreign cultural centre"),
    "49": ("其他", "other"),
    "51": ("社会团体", "social association"),
    "52": ("民办非企业单位", "private non-enterprise unit"),
    "53": ("基金会", "foundation"),
    "59": ("其他", "other"),
    "61": ("外国旅游部门常驻代表机构", "foreign tourism office"),
    "62": ("港澳台地区旅游部门常驻内地（大陆）代表机构", "tourism office of Hong Kong, Macao or Taiwan"),
    "69": ("其他", "other"),
    "71": ("宗教活动场所", "place of worship"),
    "72": ("宗教院校", "religious school"),
    "79": ("其他", "other"),
    "81": ("基层工会", "local trade union"),
    "89": ("其他", "other"),
    "91": ("企业", "enterprise"),
    "92": ("个体工商户", "individual business"),
    "93": ("农民专业合作社", "farmers' cooperative"),
    # Not in table 1, yet issued: 15 of three million real codes start with 99.
    "99": ("其他", "other"),
    "A1": ("军队事业单位", "military institution"),
    "A9": ("其他", "other"),
    "N1": ("组级集体经济组织", "group-level rural collective"),
    "N2": ("村级集体经济组织", "village-level rural collective"),
    "N3": ("乡镇级集体经济组织", "township-level rural collective"),
    "N9": ("其他", "other"),
    "Y1": ("其他", "other"),
}
"""First two characters → (中文, English)."""


def is_known_class(prefix: str) -> bool:
    """Whether the two first characters are an authority and class of the table."""
    return prefix in CLASSES
