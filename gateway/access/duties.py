"""Duties kept apart (三员分立): which duty may do which act, and no duty both data and the log of its use.

GB/T 22239-2019 (等级保护), 8.1.5, wants system, security and audit administration by different people, each only
through its own face. A person holds one duty and never a system; a system holds no duty. So whoever sees records
does not see the log of who saw them, and the other way round: `DATA` and `LOG` below share no duty.
"""

from __future__ import annotations

from enum import StrEnum

from certs.names import AGENCY_ADMINISTRATOR, AUDITOR, SECURITY_ADMINISTRATOR, SYSTEM_ADMINISTRATOR
from certs.verify import Identity
from gateway.access.context import Context
from gateway.access.errors import WrongDuty

TITLES = {
    SYSTEM_ADMINISTRATOR: ("系统管理员", "system administrator"),
    SECURITY_ADMINISTRATOR: ("安全管理员", "security administrator"),
    AUDITOR: ("审计管理员", "auditor"),
    AGENCY_ADMINISTRATOR: ("部门管理员", "agency administrator"),
}
"""How each duty is called in 简体中文 and in English."""

THREE = (SYSTEM_ADMINISTRATOR, SECURITY_ADMINISTRATOR, AUDITOR)
"""The duties that must all be appointed before the machine's operator loses the rights of each."""


class Act(StrEnum):
    """One kind of act that needs a duty.

    Attributes:
        zh: title in 简体中文.
        en: title in English.
        duties: who may do it; any one of them.
    """

    zh: str
    en: str
    duties: tuple[str, ...]

    def __new__(cls, value: str, zh: str, en: str, *duties: str) -> Act:
        self = str.__new__(cls, value)
        self._value_, self.zh, self.en, self.duties = value, zh, en, duties
        return self

    # Running the exchange.
    OPERATE = "operate", "运行与重放交换任务", "run and replay exchanges", SYSTEM_ADMINISTRATOR
    DELIVER = "deliver", "代部门报送", "deliver for an agency", SYSTEM_ADMINISTRATOR, AGENCY_ADMINISTRATOR
    SEE_DELIVERIES = (
        "deliveries.see",
        "查看交付登记",
        "see the register of deliveries",
        SYSTEM_ADMINISTRATOR,
        AGENCY_ADMINISTRATOR,
    )
    REGISTER = "register", "登记系统与人员", "register systems and people", SYSTEM_ADMINISTRATOR

    REOPEN = (
        "duties.reopen",
        "恢复本机运维权限",
        "give the operator of the machine his rights back",
        SYSTEM_ADMINISTRATOR,
        SECURITY_ADMINISTRATOR,
        AUDITOR,
    )

    # Who is let in.
    CERTIFY = "certify", "签发、暂停、吊销证书", "issue, suspend and revoke certificates", SECURITY_ADMINISTRATOR
    REQUEST_CERTIFICATE = (
        "certificates.request",
        "提交证书申请",
        "bring requests for certificates",
        SECURITY_ADMINISTRATOR,
        AGENCY_ADMINISTRATOR,
    )
    CLOSE = (
        "certificates.close",
        "暂停、吊销证书或暂停系统",
        "suspend and revoke what an agency holds",
        SECURITY_ADMINISTRATOR,
        AGENCY_ADMINISTRATOR,
    )
    SEE_CERTIFICATES = (
        "certificates.see",
        "查看证书",
        "see certificates",
        SYSTEM_ADMINISTRATOR,
        SECURITY_ADMINISTRATOR,
        AGENCY_ADMINISTRATOR,
    )
    # What they may read.
    SEE_GRANTS = (
        "grants.see",
        "查看申请与授权",
        "see applications and grants",
        SECURITY_ADMINISTRATOR,
        AGENCY_ADMINISTRATOR,
        AUDITOR,
    )
    APPLY = "grants.apply", "提出共享申请", "apply for grants", AGENCY_ADMINISTRATOR, SECURITY_ADMINISTRATOR
    DECIDE = "grants.decide", "审批共享申请", "decide on applications", AGENCY_ADMINISTRATOR, SECURITY_ADMINISTRATOR
    WITHDRAW = "grants.withdraw", "撤回授权", "withdraw grants", AGENCY_ADMINISTRATOR, SECURITY_ADMINISTRATOR

    SET_QUOTA = "quotas.set", "设置系统配额", "set the quotas of systems", SECURITY_ADMINISTRATOR

    # Data: of people, only what an agency itself sent and must mend.
    READ_RECORDS = "records.read", "读取数据", "read records"
    QUARANTINE = "quarantine", "处理本部门隔离行", "settle quarantined rows of one's own agency", AGENCY_ADMINISTRATOR
    SEE_CHALLENGES = (
        "challenges.see",
        "查看校核",
        "see challenges and their clocks",
        SYSTEM_ADMINISTRATOR,
        AGENCY_ADMINISTRATOR,
        AUDITOR,
    )
    DECIDE_CHALLENGE = "challenges.decide", "处理校核", "decide on challenges", AGENCY_ADMINISTRATOR
    ASK_ERASURE = (
        "personal.ask",
        "申请删除个人信息",
        "ask for the erasure of personal data",
        SYSTEM_ADMINISTRATOR,
        AGENCY_ADMINISTRATOR,
    )
    SEE_ERASURES = (
        "personal.see",
        "查看删除申请",
        "see what erasures were asked for",
        SYSTEM_ADMINISTRATOR,
        SECURITY_ADMINISTRATOR,
        AGENCY_ADMINISTRATOR,
        AUDITOR,
    )
    ERASE = "personal.erase", "删除个人信息", "erase personal data", SECURITY_ADMINISTRATOR

    # The log of its use.
    READ_LOG = "log.read", "查阅审计日志", "read the audit log", AUDITOR
    HOLD_LOG = "log.hold", "设置留存与法律保全", "set retention and legal hold", AUDITOR


DATA = (Act.READ_RECORDS, Act.QUARANTINE, Act.DECIDE_CHALLENGE, Act.ERASE)
"""The acts by which somebody comes to see records, or to change what is seen of them."""

LOG = (Act.READ_LOG, Act.HOLD_LOG)
"""The acts by which somebody comes to see who saw what, or decides how long that is kept."""


def require_duty(context: Context, *duties: str) -> Identity:
    """The caller, if it is a person with one of these duties.

    Raises:
        WrongDuty: a system, or a person with another duty.
    """
    return demand_duty(context.caller, duties)


def require(context: Context, act: Act, agency: str | None = None) -> Identity:
    """The caller, if its duty may do this act.

    Args:
        agency: whose thing it is, if it is an agency's; an administrator of another agency is refused.

    Raises:
        WrongDuty: a system, a person whose duty may not, or an administrator of another agency.
    """
    return demand(context.caller, act, agency)


def demand(caller: Identity, act: Act, agency: str | None = None) -> Identity:
    """As ``require``, of a caller that came another way than by HTTP."""
    demand_duty(caller, act.duties, act)
    if agency is not None and caller.duty == AGENCY_ADMINISTRATOR and caller.agency != agency:
        raise WrongDuty(
            f"{caller.urn} 是 {caller.agency} 的部门管理员，不能为 {agency} 办理“{act.zh}”。",
            f"{caller.urn} administers {caller.agency} and may not {act.en} for {agency}.",
            act=act.value,
            agency=agency,
        )
    return caller


def demand_duty(caller: Identity, duties: tuple[str, ...], act: Act | None = None) -> Identity:
    """As ``require_duty``, of a caller that came another way than by HTTP."""
    if caller.duty in duties:
        return caller
    needed_zh, needed_en = _titles(duties)
    has_zh, has_en = TITLES.get(caller.duty, ("不具有管理职责的系统", "a system without a duty"))
    what_zh, what_en = (f"“{act.zh}”", f"to {act.en}") if act else ("此项操作", "this")
    raise WrongDuty(
        f"{what_zh}须由{needed_zh}办理；{caller.urn} 是{has_zh}。",
        f"It takes {needed_en} {what_en}; {caller.urn} is {has_en}.",
        needs=list(duties),
        duty=caller.duty or None,
    )


def _titles(duties: tuple[str, ...]) -> tuple[str, str]:
    if not duties:
        return "系统凭授权（任何人员职责均不可）", "a system with a grant, which no person is,"
    zh, en = zip(*(TITLES[duty] for duty in duties), strict=True)
    return "或".join(zh), " or ".join(en)
