"""经营异常名录: an entity entered in, or removed from, the list of abnormal operation."""

from __future__ import annotations

from schemas import fields as f
from schemas.base import RecordSchema, Subject, not_before
from schemas.records import _common as common

_SOURCE = "企业经营异常名录管理暂行办法; SAMR busexclist"


class AbnormalListing(RecordSchema):
    """One entry in the list of abnormal operation."""

    record_type = "abnormal_listing"
    title_zh, title_en = "经营异常名录", "Abnormal operation listing"
    summary = "States that an entity was listed for abnormal operation, and when it was removed."
    key = ("subject_name", "listed_on", "cause_code")
    subject = Subject(uscc="uscc", name="subject_name", registration_no="subject_registration_no")
    rules = (not_before("removed_on", "listed_on", "移出日期不早于列入日期", "removal is not before listing"),)

    list_code = f.Code("abnormal_list", zh="名录", description="Which list.", source=_SOURCE)
    uscc = common.uscc()
    subject_name = common.subject_name(f"{_SOURCE} entname")
    subject_registration_no = common.registration_no()
    cause_code = f.Code(
        "abnormal_cause",
        required=True,
        zh="列入原因",
        description="Why the entity was listed.",
        source=f"{_SOURCE} specause",
        facet=True,
    )
    listed_on = f.OnDate(
        required=True,
        zh="列入日期",
        description="Day of listing.",
        source=f"{_SOURCE} abnormal_putdate",
        facet=True,
    )
    listing_authority = common.authority(f"{_SOURCE} decorg", zh="作出列入决定机关")
    removed_on = f.OnDate(zh="移出日期", description="Day of removal.", source=f"{_SOURCE} remdate", facet=True)
    removal_cause = common.text("移出原因", "Why the entity was removed.", f"{_SOURCE} remexcpres", 1000)
    removing_authority = f.EntityName(
        zh="作出移出决定机关", description="Body that decided the removal.", source=f"{_SOURCE} redecorg"
    )
