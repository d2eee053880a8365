"""Every kind of act the log knows, with its titles. An act that is not here cannot be written."""

from __future__ import annotations

from enum import StrEnum


class Action(StrEnum):
    """One kind of act; its value is what stands in the log and never changes meaning.

    Attributes:
        zh: title in 简体中文.
        en: title in English.
    """

    zh: str
    en: str

    def __new__(cls, value: str, zh: str, en: str) -> Action:
        self = str.__new__(cls, value)
        self._value_, self.zh, self.en = value, zh, en
        return self

    HOME_INITIALISED = "home.initialised", "系统初始化", "installation initialised"

    DELIVERY_LANDED = "delivery.landed", "数据入库", "delivery landed"
    DELIVERY_REFUSED = "delivery.refused", "数据拒收", "delivery refused"
    DELIVERY_REPEATED = "delivery.repeated", "重复交付", "delivery repeated"
    RUN_FAILED = "run.failed", "采集失败", "run failed"

    QUARANTINE_READ = "quarantine.read", "查看隔离行", "quarantined rows read"
    QUARANTINE_CORRECTED = "quarantine.corrected", "隔离行更正", "quarantined row corrected"
    QUARANTINE_DISMISSED = "quarantine.dismissed", "隔离行驳回", "quarantined row dismissed"
    QUARANTINE_REPLAYED = "quarantine.replayed", "隔离行重放", "quarantined rows replayed"

    ENTITY_READ = "entity.read", "查询主体", "entity read"
    RECORD_READ = "record.read", "查询记录", "records read"
    FEED_READ = "feed.read", "读取变更流", "feed read"
    EXPORT_MADE = "export.made", "导出数据", "export made"
    EXPORT_FETCHED = "export.fetched", "取走导出文件", "export fetched"
    READ_REFUSED = "read.refused", "查询被拒", "read refused"

    APPLICATION_FILED = "application.filed", "提出共享申请", "application filed"
    APPLICATION_APPROVED = "application.approved", "同意共享申请", "application approved"
    APPLICATION_REFUSED = "application.refused", "拒绝共享申请", "application refused"
    APPLICATION_WITHDRAWN = "application.withdrawn", "撤回共享申请", "application withdrawn"
    GRANT_GIVEN = "grant.given", "授权", "grant given"
    APPLICATION_OVERDUE = "application.overdue", "申请逾期未办", "application overdue"
    GRANT_CHANGED = "grant.changed", "变更授权", "grant changed"
    GRANT_WITHDRAWN = "grant.withdrawn", "撤销授权", "grant withdrawn"

    QUOTA_SET = "quota.set", "设置配额", "quota set"

    DUTIES_SEPARATED = "duties.separated", "三员分立", "duties separated"
    DUTIES_REOPEN_ASKED = "duties.reopen_asked", "提请恢复本机运维权限", "reopening of duties asked for"
    DUTIES_REOPENED = "duties.reopened", "恢复本机运维权限", "duties reopened"

    SYSTEM_REGISTERED = "system.registered", "登记系统", "system registered"
    SYSTEM_SUSPENDED = "system.suspended", "暂停系统", "system suspended"
    SYSTEM_RESUMED = "system.resumed", "恢复系统", "system resumed"
    PERSON_REGISTERED = "person.registered", "登记人员", "person registered"
    PERSON_SUSPENDED = "person.suspended", "暂停人员", "person suspended"
    PERSON_RESUMED = "person.resumed", "恢复人员", "person resumed"
    AUTHORITY_REQUESTED = "authority.requested", "申请签发机构", "issuing authority requested"
    AUTHORITY_INSTALLED = "authority.installed", "启用签发机构", "issuing authority installed"
    AUTHORITY_RETIRED = "authority.retired", "停用签发机构", "issuing authority retired"
    ROOT_LIST_INSTALLED = "root_list.installed", "更新根机构吊销列表", "revocation list of the root installed"
    CERTIFICATE_REQUESTED = "certificate.requested", "申请证书", "certificate requested"
    CERTIFICATE_APPROVED = "certificate.approved", "批准证书申请", "certificate request approved"
    CERTIFICATE_REFUSED = "certificate.refused", "拒绝证书申请", "certificate request refused"
    CERTIFICATE_WITHDRAWN = "certificate.withdrawn", "撤回证书申请", "certificate request withdrawn"
    CERTIFICATE_FULFILLED = "certificate.fulfilled", "办结证书申请", "certificate request fulfilled"
    CERTIFICATE_ISSUED = "certificate.issued", "签发证书", "certificate issued"
    CERTIFICATE_RENEWED = "certificate.renewed", "更新证书", "certificate renewed"
    CERTIFICATE_SUSPENDED = "certificate.suspended", "暂停证书", "certificate suspended"
    CERTIFICATE_RESUMED = "certificate.resumed", "恢复证书", "certificate resumed"
    CERTIFICATE_REVOKED = "certificate.revoked", "吊销证书", "certificate revoked"

    SIGNING_KEY_REGISTERED = "signing_key.registered", "登记签名密钥", "signing key registered"
    SIGNING_KEY_REVOKED = "signing_key.revoked", "吊销签名密钥", "signing key revoked"

    HOLD_PLACED = "hold.placed", "法律保全", "legal hold placed"
    HOLD_RELEASED = "hold.released", "解除法律保全", "legal hold released"
    BYTES_REMOVED = "bytes.removed", "到期清除原始文件", "received files removed at the end of retention"
    LOG_EXPORTED = "log.exported", "导出审计日志", "part of the log exported"

    CHALLENGE_RAISED = "challenge.raised", "提出校核", "challenge raised"
    CHALLENGE_READ = "challenge.read", "查看校核内容", "words of challenges read"
    CHALLENGE_OVERDUE = "challenge.overdue", "校核逾期未办", "challenge overdue"
    CHALLENGE_UPHELD = "challenge.upheld", "校核属实", "challenge upheld"
    CHALLENGE_REJECTED = "challenge.rejected", "校核不成立", "challenge rejected"

    KEYS_ROTATED = "keys.rotated", "更换密钥", "keys rotated"
    KEYS_RESEALED = "keys.resealed", "重新加密", "sealed again under the newest key"
    KEYS_RETIRED = "keys.retired", "销毁旧主密钥", "old key-encryption key destroyed"
    KEYS_PROTECTED = "keys.protected", "私钥文件改用新口令", "key files put under another passphrase"

    ERASURE_ASKED = "erasure.asked", "申请删除个人信息", "erasure of personal data asked for"
    ERASURE_REFUSED = "erasure.refused", "拒绝删除个人信息", "erasure of personal data refused"
    ERASURE_DONE = "erasure.done", "删除个人信息完成", "erasure of personal data done"
    BYTES_DESTROYED = "bytes.destroyed", "销毁原始文件", "kept files destroyed"
    NOTIFICATION_GIVEN = "notification.given", "发出通知", "notification given out"
    NOTIFICATION_DELIVERED = "notification.delivered", "通知送达", "notification delivered"
    NOTIFICATION_ACKNOWLEDGED = "notification.acknowledged", "通知已确认", "notification acknowledged"
    NOTIFICATION_GIVEN_UP = "notification.given_up", "通知未能送达", "notification could not be delivered"
    RECORD_PUSHED = "record.pushed", "推送更正版本", "corrected version given out"

    PERSON_ERASED = "person.erased", "删除个人信息", "personal data erased"


READS = (
    Action.ENTITY_READ,
    Action.RECORD_READ,
    Action.FEED_READ,
    Action.EXPORT_MADE,
    Action.EXPORT_FETCHED,
    Action.RECORD_PUSHED,
)
"""The acts by which somebody came to see records."""


_BY_VALUE = {action.value: action for action in Action}


def action_of(value: str) -> Action:
    """The act written as ``value``.

    Raises:
        ValueError: the log knows no such act.
    """
    if value not in _BY_VALUE:
        raise ValueError(f"unknown act {value!r}; the log knows {sorted(_BY_VALUE)}")
    return _BY_VALUE[value]
