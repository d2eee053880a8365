"""Fields that most record types share, described once."""

from __future__ import annotations

from typing import Any

from schemas import fields as f

FORM_2018 = "双公示 2018 (发改办财金〔2018〕424号)"
"""The publication form of licences and penalties."""


def uscc(*, required: bool = False, zh: str = "统一社会信用代码", source: str = "GB 32100-2015") -> f.Uscc:
    """Unified code of the subject."""
    return f.Uscc(required=required, zh=zh, description="Unified social credit code of the subject.", source=source)


def subject_name(source: str, *, zh: str = "主体名称", required: bool = True) -> f.EntityName:
    """Name of the subject as the agency knows it."""
    return f.EntityName(
        required=required, zh=zh, description="Name of the subject, as the agency has it.", source=source
    )


def registration_no(source: str = "GS15-2006") -> f.RegistrationNo:
    """Legacy registration number of the subject."""
    return f.RegistrationNo(
        zh="工商注册号", description="Registration number of the subject from before the unified code.", source=source
    )


def organisation_code(source: str = "GB 11714-1997") -> f.OrganisationCode:
    """Organisation code of the subject."""
    return f.OrganisationCode(
        zh="组织机构代码", description="Organisation code of the subject, without hyphen.", source=source
    )


def taxpayer_no(source: str = FORM_2018) -> f.TaxpayerNo:
    """Taxpayer number of the subject; of a sole trader it can hold an identity number, hence restricted."""
    return f.TaxpayerNo(
        zh="税务登记号", description="Taxpayer number of the subject.", source=source, sensitivity="restricted"
    )


def subject_kind(source: str = FORM_2018) -> f.Code:
    """Legal person, sole trader or natural person."""
    return f.Code(
        "subject_kind", zh="主体类别", description="Whether a legal person, a sole trader or a person.", source=source
    )


def address(zh: str, description: str, source: str) -> f.Text:
    """An address as written."""
    return f.Text(400, zh=zh, description=description, source=source)


def region(
    zh: str = "行政区划代码", description: str = "Region the record belongs to.", source: str = ""
) -> f.RegionCode:
    """A region records are filtered by."""
    return f.RegionCode(zh=zh, description=description, source=source or "GB/T 2260", facet=True)


def legal_representative(source: str = "GB/T 36104-2018 fddbrxm") -> f.Text:
    """Name of the legal representative: public in registries one by one, restricted in bulk."""
    return f.Text(
        100,
        zh="法定代表人",
        description="Name of the legal representative or head.",
        source=source,
        sensitivity="restricted",
    )


def personal(zh: str, description: str, source: str, max_length: int = 50) -> f.Text:
    """A value about a natural person: sealed at rest, masked unless a grant says otherwise."""
    return f.Text(max_length, zh=zh, description=description, source=source, sensitivity="personal")


def authority(source: str, *, zh: str = "决定机关") -> f.EntityName:
    """Name of the body that decided."""
    return f.EntityName(required=True, zh=zh, description="Full name of the body that decided.", source=source)


def authority_uscc(source: str = FORM_2018) -> f.Uscc:
    """Unified code of the body that decided."""
    return f.Uscc(zh="决定机关统一社会信用代码", description="Unified code of the body that decided.", source=source)


def publication_scope() -> f.Code:
    """Who may see the record, as the agency says."""
    return f.Code(
        "publication_scope",
        zh="信息使用范围",
        description="Whether published, shared between departments, or shown on authorised request.",
        source="双公示 2015 XK_SYFW / CF_SYFW",
        facet=True,
    )


def updated_at(source: str = "双公示 2015 SJC") -> f.AtInstant:
    """When the agency last changed the record."""
    return f.AtInstant(zh="数据更新时间", description="When the agency last changed the record.", source=source)


def remark(source: str = FORM_2018 + " BZ") -> f.Text:
    """Anything else the agency wants to say."""
    return f.Text(4000, zh="备注", description="Remark of the agency.", source=source, sensitivity="shared")


def text(zh: str, description: str, source: str, max_length: int = 200, **told: Any) -> f.Text:
    """Free text."""
    return f.Text(max_length, zh=zh, description=description, source=source, **told)
