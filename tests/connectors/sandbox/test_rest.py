"""The REST agencies as a careful client meets them: tokens, signatures, pages, days, misbehaviour."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from connectors.sandbox.rest_auth import DeniedError, Tokens, check_signature, signature
from connectors.sandbox.serve import Sandbox

MARKET, AGRICULTURE, HEALTH, CREDIT = (
    "market_supervision_rest",
    "agriculture_rest",
    "health_rest",
    "credit_platform_rest",
)


class Caller:
    """A client of one endpoint that knows the secrets it was given."""

    def __init__(self, sandbox: Sandbox, endpoint: str) -> None:
        entry = sandbox.connections()["endpoints"][endpoint]
        self.secrets = {
            name: (sandbox.home / "secrets" / file).read_text() for name, file in entry.get("secrets", {}).items()
        }
        context = ssl.create_default_context(cafile=str(sandbox.home / entry["ca"]))
        if "certificate" in entry:
            context.load_cert_chain(sandbox.home / entry["certificate"], sandbox.home / entry["key"])
        self.http = httpx.Client(base_url=entry["url"], verify=context, trust_env=False, timeout=5)

    def get(self, path: str, arguments: dict[str, Any], **headers: str) -> httpx.Response:
        return self.http.get(path, params=arguments, headers=headers)

    def bearer(self) -> dict[str, Any]:
        form = {"client_id": self.secrets["client_id"], "client_secret": self.secrets["client_secret"]}
        return dict(self.http.post("/oauth/token", data=form).json())

    def credit(self, path: str, **arguments: str) -> dict[str, Any]:
        """A signed request with a new token; arguments override what a correct client would send."""
        secret = self.secrets["app_secret"]
        asked = {"appKey": self.secrets["app_key"], "appSecret": secret}
        token = self.http.post("/ESBWeb/token", json=asked).json()["data"]["accessToken"]
        sent = {"accessToken": token, "appKey": asked["appKey"], "timestamp": str(int(time.time() * 1000))}
        sent = {"pageNo": "1", "pageSize": "1000", **sent, **arguments}
        sent = {"sign": signature(secret, sent), **sent}
        return dict(self.http.get(f"/ESBWeb/servlets/{path}@1.0", params=sent).json())


@pytest.fixture
def caller() -> Iterator[Callable[[Sandbox, str], Caller]]:
    """Makes callers and closes what they opened."""
    made: list[Caller] = []

    def make(sandbox: Sandbox, endpoint: str) -> Caller:
        made.append(Caller(sandbox, endpoint))
        return made[-1]

    yield make
    for one in made:
        one.http.close()


def test_the_abnormal_list_comes_in_pages_that_together_are_its_total(
    sandbox: Sandbox, caller: Callable[[Sandbox, str], Caller]
) -> None:
    market = caller(sandbox, MARKET)
    key = {"X-Api-Key": market.secrets["api_key"]}

    whole = market.get("/gsxt/busexclist", {"page": 1, "size": 1000}, **key).json()["result"]
    pages = [market.get("/gsxt/busexclist", {"page": n, "size": 1}, **key).json()["result"]["list"] for n in (1, 2)]

    assert whole["total"] == len(whole["list"]) >= 2
    assert [row for page in pages for row in page] == whole["list"][:2]
    assert set(whole["list"][0]["ent"]) == {"uniscid", "regno", "entname"}


def test_a_wrong_api_key_is_forbidden(sandbox: Sandbox, caller: Callable[[Sandbox, str], Caller]) -> None:
    answer = caller(sandbox, MARKET).get("/gsxt/busexclist", {}, **{"X-Api-Key": "guess"})

    assert (answer.status_code, answer.json()["message"]) == (403, "接口密钥错误")


def test_complaints_need_a_bearer_token_and_hold_json_inside_json(
    sandbox: Sandbox, caller: Callable[[Sandbox, str], Caller]
) -> None:
    market = caller(sandbox, MARKET)

    without = market.get("/complaints/v1/search", {})
    token = market.bearer()["access_token"]
    answer = market.get("/complaints/v1/search", {"pageSize": 1000}, Authorization=f"Bearer {token}").json()

    assert (without.status_code, without.headers["WWW-Authenticate"]) == (401, 'Bearer error="invalid_token"')
    respondents = [json.loads(row["respondent"]) for row in answer["data"]["items"]]
    assert sandbox.world.showcase_uscc in {respondent["uniscid"] for respondent in respondents}
    times = [row["update_time"] for row in answer["data"]["items"]]
    assert times == sorted(times)


def test_a_refresh_token_works_once(sandbox: Sandbox, caller: Callable[[Sandbox, str], Caller]) -> None:
    market = caller(sandbox, MARKET)
    form = {"grant_type": "refresh_token", "refresh_token": market.bearer()["refresh_token"]}

    first, second = (market.http.post("/oauth/token", data=form) for _ in range(2))

    assert (first.status_code, second.status_code) == (200, 401)


def test_a_token_runs_out_on_the_clock_of_its_issuer() -> None:
    now = [0.0]
    tokens = Tokens("xinqiao", "secret", lambda: now[0], lifetime_s=60)
    token = tokens.grant("xinqiao", "secret").access

    now[0] = 59.9
    tokens.check(token)
    now[0] = 60.0

    with pytest.raises(DeniedError) as denied:
        tokens.check(token)
    assert denied.value.code == "40101"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"appKey": "other"}, "40100"),
        ({"timestamp": "699999"}, "40102"),
        ({"timestamp": ""}, "40102"),
        ({"pageNo": "2"}, "40103"),
        ({"sign": "00"}, "40103"),
    ],
)
def test_a_signed_request_that_is_changed_is_refused(changed: dict[str, str], code: str) -> None:
    sent = {"appKey": "key", "timestamp": "1000000", "pageNo": "1"}
    sent["sign"] = signature("secret", sent)
    check_signature("key", "secret", sent, now_s=1000.0)

    with pytest.raises(DeniedError) as denied:
        check_signature("key", "secret", {**sent, **changed}, now_s=1000.0)
    assert denied.value.code == code


def test_the_credit_platform_says_its_errors_inside_http_200(
    sandbox: Sandbox, caller: Callable[[Sandbox, str], Caller]
) -> None:
    credit = caller(sandbox, CREDIT)

    codes = {
        "good": credit.credit("hongmingdan")["code"],
        "token": credit.credit("hongmingdan", accessToken="stale")["code"],
        "signature": credit.credit("hongmingdan", sign="0" * 64)["code"],
        "time": credit.credit("hongmingdan", timestamp="1700000000000")["code"],
    }

    assert codes == {"good": "00", "token": "40105", "signature": "40103", "time": "40102"}


def test_the_showcase_is_on_the_red_list_and_not_on_the_black_one(
    sandbox: Sandbox, caller: Callable[[Sandbox, str], Caller]
) -> None:
    credit = caller(sandbox, CREDIT)

    listed = {
        name: {row["tyshxydm"] for row in credit.credit(name)["data"]["rows"]} for name in ("hongmingdan", "heimingdan")
    }

    showcase = sandbox.world.showcase_uscc
    assert (showcase in listed["hongmingdan"], showcase in listed["heimingdan"]) == (True, False)


def test_agriculture_demands_a_client_certificate(sandbox: Sandbox, caller: Callable[[Sandbox, str], Caller]) -> None:
    entry = sandbox.connections()["endpoints"][AGRICULTURE]
    context = ssl.create_default_context(cafile=str(sandbox.home / entry["ca"]))

    with (
        httpx.Client(base_url=entry["url"], verify=context, trust_env=False, timeout=5) as stranger,
        pytest.raises(httpx.HTTPError),
    ):
        stranger.get("/nyncj/hgz/certificates")
    assert caller(sandbox, AGRICULTURE).get("/nyncj/hgz/certificates", {"limit": 1}).status_code == 200


def test_a_cursor_leads_through_every_trace_event_once(
    sandbox: Sandbox, caller: Callable[[Sandbox, str], Caller]
) -> None:
    agriculture = caller(sandbox, AGRICULTURE)
    path = "/nyncj/trace/v2/events"
    whole = agriculture.get(path, {"limit": 1000}).json()

    found: list[dict[str, Any]] = []
    arguments: dict[str, Any] = {"limit": 7}
    while arguments.get("cursor", "") is not None:
        answer = agriculture.get(path, arguments).json()
        found += answer["items"]
        arguments["cursor"] = answer["next"]

    assert whole["next"] is None
    assert {row["eventId"] for row in found} == {row["eventId"] for row in whole["items"]}


def test_a_made_up_cursor_is_a_bad_request(sandbox: Sandbox, caller: Callable[[Sandbox, str], Caller]) -> None:
    answer = caller(sandbox, AGRICULTURE).get("/nyncj/trace/v2/events", {"cursor": "bm90IGpzb24="})

    assert answer.status_code == 400


def test_no_patient_is_in_a_foodborne_event(sandbox: Sandbox, caller: Callable[[Sandbox, str], Caller]) -> None:
    health = caller(sandbox, HEALTH)

    denied = health.get("/wjw/foodborne/events", {}).json()
    events = health.get("/wjw/foodborne/events", {}, accessKey=health.secrets["access_key"]).json()["data"]["events"]

    assert denied["resultCode"] == "9001"
    assert set(events[0]) == {
        *("reportId", "period", "regionCode", "food", "place", "counts", "suspectedCause", "remark", "updatedAt")
    }
    assert all(event["counts"]["exposed"] >= event["counts"]["cases"] for event in events)


def test_the_same_seed_says_the_same_and_a_day_brings_something_new(
    own_sandbox: Sandbox, sandbox: Sandbox, caller: Callable[[Sandbox, str], Caller]
) -> None:
    path, arguments = "/nyncj/hgz/certificates", {"limit": 1000}
    elsewhere = caller(sandbox, AGRICULTURE).get(path, arguments).json()["items"]
    here = caller(own_sandbox, AGRICULTURE)

    before = here.get(path, arguments).json()["items"]
    own_sandbox.advance()
    since = here.get(path, {**arguments, "since": "2026-07-01T00:00:00+08:00"}).json()["items"]

    assert before == elsewhere
    assert since
    assert not {row["zsbh"] for row in since if row["zt_bz"] == "有效"} & {row["zsbh"] for row in before}


def test_it_misbehaves_by_halving_repeating_and_renaming(
    own_sandbox: Sandbox, caller: Callable[[Sandbox, str], Caller]
) -> None:
    market = caller(own_sandbox, MARKET)
    key = {"X-Api-Key": market.secrets["api_key"]}

    def page(number: int, size: int = 1000) -> Any:
        return market.get("/gsxt/busexclist", {"page": number, "size": size}, **key).json()["result"]

    whole, first = page(1), page(1, 2)
    own_sandbox.misbehave(MARKET, "half_empty")
    half = page(1)
    own_sandbox.misbehave(MARKET, "duplicate_page")
    repeated = page(2, 2)
    own_sandbox.misbehave(MARKET, "renamed_column")
    renamed = page(1)
    own_sandbox.misbehave(MARKET, None)

    assert half["total"] == whole["total"] * 2 // 5
    assert repeated["list"] == first["list"]
    assert {"uniscid", "regno", "entname_new"} == set(renamed["list"][0]["ent"])
    assert page(1) == whole
