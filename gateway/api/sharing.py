"""``/v1/catalogue``, ``/v1/applications``, ``/v1/grants``, ``/v1/challenges``: how sharing is agreed on."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import Response, jsonify

from connectors.registry import sources
from connectors.spec import SourceSpec
from gateway.access import applications, challenges, grants
from gateway.access.context import Context
from gateway.access.errors import NotFound
from gateway.api.blueprint import Blueprint
from gateway.api.callers import context
from gateway.api.reads import purpose
from gateway.api.shapes import ApplicationShape, ChallengeShape, Decision, Reason, wish_of
from schemas.derived import catalogue_items

blueprint = Blueprint("sharing", __name__, url_prefix="/v1", description="共享 · agreeing on sharing")


@blueprint.get("/catalogue")
@blueprint.response(200)
def catalogue() -> Response:
    """资源目录 · The catalogue: every source with its GB/T 21063.3 elements."""
    context()
    return jsonify({"entries": [_entry(spec) for spec in sources().values()]})


@blueprint.get("/applications")
@blueprint.response(200)
def list_applications() -> Response:
    """申请列表 · Applications your agency made or must decide."""
    asked = context()
    with asked.store.read() as conn:
        found = applications.list_applications(conn, concerning=asked.caller.agency)
    return jsonify({"applications": [_dated(asdict(one)) for one in found]})


@blueprint.post("/applications")
@blueprint.arguments(ApplicationShape)
@blueprint.response(201)
def apply(wanted: dict[str, Any]) -> Response:
    """提出申请 · Apply for a grant for the calling system."""
    asked = context()
    with asked.store.write() as conn:
        made = applications.apply_for(conn, asked.caller.urn, wish_of(wanted), sources().values(), asked.now)
    return _told(made, 201)


@blueprint.get("/applications/<application_id>")
@blueprint.response(200)
def read_application(application_id: str) -> Response:
    """申请 · One application your agency made or must decide."""
    return _told(_own(context(), application_id), 200)


@blueprint.post("/applications/<application_id>/approval")
@blueprint.response(200)
def approve(application_id: str) -> Response:
    """同意 · Approve on behalf of your agency."""
    asked = context()
    _own(asked, application_id)
    with asked.store.write() as conn:
        done = applications.approve(conn, application_id, asked.caller.agency, asked.caller.urn, asked.now)
    return _told(done, 200)


@blueprint.post("/applications/<application_id>/refusal")
@blueprint.arguments(Reason)
@blueprint.response(200)
def refuse(said: dict[str, Any], application_id: str) -> Response:
    """拒绝 · Refuse on behalf of your agency, with the reason."""
    asked = context()
    _own(asked, application_id)
    with asked.store.write() as conn:
        done = applications.refuse(
            conn, application_id, asked.caller.agency, asked.caller.urn, said["reason"], asked.now
        )
    return _told(done, 200)


@blueprint.get("/grants")
@blueprint.response(200)
def list_grants() -> Response:
    """授权列表 · Grants of your agency's systems."""
    asked = context()
    with asked.store.read() as conn:
        found = grants.list_grants(conn, agency=asked.caller.agency)
    return jsonify({"grants": [_dated(asdict(one)) for one in found]})


@blueprint.get("/challenges")
@blueprint.response(200)
def list_challenges() -> Response:
    """校核列表 · Challenges your agency raised or decides."""
    return jsonify({"challenges": challenges.own_challenges(context())})


@blueprint.post("/challenges")
@blueprint.arguments(ChallengeShape)
@blueprint.response(201)
def challenge(said: dict[str, Any]) -> Response:
    """提出校核 · Say that a value is wrong; the providing agency decides."""
    answer = jsonify(challenges.challenge(context(), challenges.Doubt(**said), purpose()))
    answer.status_code = 201
    return answer


@blueprint.post("/challenges/<challenge_id>/decision")
@blueprint.arguments(Decision)
@blueprint.response(200)
def decide(said: dict[str, Any], challenge_id: str) -> Response:
    """处理校核 · Uphold or reject a challenge of what your agency provided."""
    return jsonify(challenges.decide(context(), challenge_id, said["decision"], said["reason"]))


def _own(asked: Context, application_id: str) -> applications.Application:
    with asked.store.read() as conn:
        found = applications.read_application(conn, application_id)
    if not applications.concerns(found, asked.caller.agency):
        raise NotFound(f"没有编号为 {application_id} 的申请。", f"There is no application {application_id}.")
    return found


def _told(application: applications.Application, status: int) -> Response:
    answer = jsonify(_dated(asdict(application)))
    answer.status_code = status
    return answer


def _dated(row: dict[str, Any]) -> dict[str, Any]:
    # Flask would write dates as HTTP dates.
    days = {name: row[name].isoformat() for name in ("valid_from", "valid_until")}
    return {**row, **days}


def _entry(spec: SourceSpec) -> dict[str, Any]:
    return {
        "source": spec.source,
        "agency": spec.agency,
        "title_zh": spec.title_zh,
        "title_en": spec.title_en,
        "record_type": spec.record_type,
        **asdict(spec.catalogue),
        "items": catalogue_items(spec.record_type),
    }
