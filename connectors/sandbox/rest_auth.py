"""How the REST agencies know their callers: bearer tokens that run out, and requests signed with HMAC-SHA256.

The gateway's own client is written apart from this; nothing here is imported by it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

SIGNATURE_WINDOW_S = 300
"""A signed request whose timestamp is further away than this is refused."""


@dataclass
class DeniedError(Exception):
    """A caller that is not let in.

    Attributes:
        code: the platform's own error code, put into the answer's body.
        text: the platform's own words, 简体中文.
    """

    code: str
    text: str


@dataclass(frozen=True)
class Grant:
    """A pair of tokens; seconds are counted on the issuer's clock."""

    access: str
    refresh: str
    lifetime_s: float


@dataclass
class Tokens:
    """Issues short-lived access tokens; a refresh token works once.

    Attributes:
        client_id: whom tokens are issued to.
        secret: what that client proves itself with.
        clock: seconds, any origin; only differences matter.
        lifetime_s: how long an access token is accepted.
    """

    client_id: str
    secret: str
    clock: Callable[[], float]
    lifetime_s: float = 60.0
    _access: dict[str, float] = field(default_factory=dict)
    _refresh: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def grant(self, client_id: str, secret: str) -> Grant:
        """Issue a first pair.

        Raises:
            DeniedError: unknown client or wrong secret.
        """
        if not (hmac.compare_digest(client_id, self.client_id) and hmac.compare_digest(secret, self.secret)):
            raise DeniedError("40100", "客户端标识或密钥错误")
        return self._issue()

    def refresh(self, token: str) -> Grant:
        """Exchange a refresh token for a new pair; it is used up.

        Raises:
            DeniedError: never issued, or used before.
        """
        with self._lock:
            if token not in self._refresh:
                raise DeniedError("40104", "刷新令牌无效或已使用")
            self._refresh.discard(token)
        return self._issue()

    def check(self, token: str) -> None:
        """Let the bearer of an unexpired access token pass.

        Raises:
            DeniedError: unknown, or run out.
        """
        with self._lock:
            until = self._access.get(token)
        if until is None:
            raise DeniedError("40105", "访问令牌无效")
        if self.clock() >= until:
            raise DeniedError("40101", "访问令牌已过期")

    def _issue(self) -> Grant:
        grant = Grant(secrets.token_urlsafe(24), secrets.token_urlsafe(24), self.lifetime_s)
        now = self.clock()
        with self._lock:
            self._access = {token: until for token, until in self._access.items() if until + self.lifetime_s > now}
            self._access[grant.access] = now + self.lifetime_s
            self._refresh.add(grant.refresh)
        return grant


def signature(secret: str, parameters: Mapping[str, str]) -> str:
    """HMAC-SHA256 of ``k=v`` pairs sorted by name and joined by ``&``, ``sign`` itself left out; lower-case hex."""
    text = "&".join(f"{name}={parameters[name]}" for name in sorted(parameters) if name != "sign")
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def check_signature(app_key: str, secret: str, parameters: Mapping[str, str], now_s: float) -> None:
    """Let a correctly signed, fresh request pass.

    Args:
        app_key: the only key that is known.
        secret: its secret.
        parameters: of the request, with ``appKey``, ``timestamp`` (ms since 1970, UTC) and ``sign``.
        now_s: present time, seconds since 1970.

    Raises:
        DeniedError: 40100 unknown key, 40102 timestamp missing or outside the window, 40103 wrong signature.
    """
    if parameters.get("appKey") != app_key:
        raise DeniedError("40100", "appKey不存在")
    stamp = parameters.get("timestamp", "")
    if not stamp.isdecimal() or abs(int(stamp) / 1000 - now_s) > SIGNATURE_WINDOW_S:
        raise DeniedError("40102", "时间戳缺失或超出允许范围")
    if not hmac.compare_digest(parameters.get("sign", ""), signature(secret, parameters)):
        raise DeniedError("40103", "签名错误")
