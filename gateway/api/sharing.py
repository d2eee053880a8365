"""``/v1/catalogue``, ``/v1/applications``, ``/v1/grants``, ``/v1/challenges``: how sharing is agreed on."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import Response, jsonify

from connectors.registry import sources
from connectors.spec import SourceSpec
from gateway.access import applications, challenges, clocks, deciding, giving, grants
from gateway.access.context import Context
from gateway.access.deciding import actor_of, demand_concerned, registered_system
from gateway.access.duties import Act, require
from gateway.access.errors import Invalid, NotFound, NotYours
from gateway.api.blueprint import Blueprint
from gateway.api.callers import context
from gateway.api.reads import purpose
from gateway.api.shapes import ApplicationQuery, ApplicationShape, ChallengeShape, Decision, Reason, wish_of
from gateway.signatures.own import signed
from gateway.working_days import WorkingDays, load_working_days
from schemas.derived import catalogue_items

blueprint = Blueprint("sharing", __name__, url_prefix="/v1", description="共享 · agreeing on sharing")


@blueprint.get("/catalogue")
@blueprint.response(200)
def catalogue() -> Response:
    """资源目录 · The catalogue: every source with its GB/T 21063.3 elements."""
    context()
    return jsonify({"entries": [_entry(spec) for spec in sources().values()]})


@blueprint.get("/applications")
@blueprint.arguments(ApplicationQuery, location="query")
@blueprint.response(200)
def list_applications(wanted: dict[str, Any]) -> Response:
    """申请列表 · Applications your agency made or must decide, each with its deadline; all for the security duty."""
    asked = context()
    calendar = load_working_days(asked.store.settings.home)
    with asked.store.read() as conn:
        found = applications.list_applications(conn, concerning=_concerning(asked), status=wanted["status"])
    shown = [one for one in found if not wanted["overdue"] or clocks.is_late(one, calendar, asked.now)]
    return jsonify({"applications": [_application(one, calendar, asked) for one in shown]})


@blueprint.post("/applications")
@blueprint.arguments(ApplicationShape)
@blueprint.response(201)
def apply(wanted: dict[str, Any]) -> Response:
    """提出申请 · Apply for a grant, or for the change of one, for the calling system or one of your agency."""
    asked = context()
    urn = _applying_for(asked, wanted["system"])
    with asked.store.write() as conn:
        made = deciding.apply_for(
            conn, urn, wish_of(wanted), sources().values(), actor_of(asked.caller), asked.now, wanted["replaces"]
        )
    return _told(made, asked, 201)


@blueprint.get("/applications/<application_id>")
@blueprint.response(200)
def read_application(application_id: str) -> Response:
    """申请 · One application your agency made or must decide."""
    asked = context()
    return _told(_own(asked, application_id), asked, 200)


@blueprint.post("/applications/<application_id>/approval")
@blueprint.response(200)
def approve(application_id: str) -> Response:
    """同意 · Say yes for your seat: as administrator of a providing agency, or as security administrator."""
    asked = context()
    require(asked, Act.DECIDE)
    _own(asked, application_id)
    with asked.store.write() as conn:
        done = deciding.approve(conn, application_id, actor_of(asked.caller), asked.now)
    return _told(done, asked, 200)


@blueprint.post("/applications/<application_id>/refusal")
@blueprint.arguments(Reason)
@blueprint.response(200)
def refuse(said: dict[str, Any], application_id: str) -> Response:
    """拒绝 · Refuse for your seat, with the ground."""
    asked = context()
    require(asked, Act.DECIDE)
    _own(asked, application_id)
    with asked.store.write() as conn:
        done = deciding.refuse(conn, application_id, actor_of(asked.caller), said["reason"], asked.now)
    return _told(done, asked, 200)


@blueprint.post("/applications/<application_id>/withdrawal")
@blueprint.arguments(Reason)
@blueprint.response(200)
def retract(said: dict[str, Any], application_id: str) -> Response:
    """撤回申请 · Take back an application that your agency made."""
    asked = context()
    _own(asked, application_id)
    with asked.store.write() as conn:
        done = deciding.retract(conn, application_id, actor_of(asked.caller), said["reason"], asked.now)
    return _told(done, asked, 200)


@blueprint.get("/grants")
@blueprint.response(200)
def list_grants() -> Response:
    """授权列表 · Grants of your agency's systems; all for the security duty and the auditor."""
    asked = context()
    with asked.store.read() as conn:
        found = grants.list_grants(conn, agency=_concerning(asked))
    return jsonify({"grants": [signed(asked.store.settings, _dated(asdict(one))) for one in found]})


@blueprint.post("/grants/<grant_id>/withdrawal")
@blueprint.arguments(Reason)
@blueprint.response(200)
def withdraw(said: dict[str, Any], grant_id: str) -> Response:
    """撤回授权 · End a grant at once: as administrator of a providing or the holding agency, or security duty."""
    asked = context()
    require(asked, Act.WITHDRAW)
    with asked.store.write() as conn:
        found = grants.read_grant(conn, grant_id)
        demand_concerned(asked.caller, found)
        ended = giving.withdraw(conn, grant_id, asked.caller.urn, asked.now, said["reason"])
    return jsonify(_dated(asdict(ended)))


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
    """处理校核 · Uphold or reject a challenge of what your agency provided; upheld, the corrected record lands."""
    empties = "corrected" in said and said["corrected"] is None
    return jsonify(challenges.decide(context(), challenge_id, challenges.Ruling(**said, empties=empties)))


def _concerning(asked: Context) -> str | None:
    """The agency whose affairs the caller sees; None for who sees everybody's."""
    if asked.caller.agency:
        return asked.caller.agency
    require(asked, Act.SEE_GRANTS)
    return None


def _applying_for(asked: Context, named: str | None) -> str:
    if not asked.caller.is_person and named in (None, asked.caller.urn):
        return asked.caller.urn
    if asked.caller.is_person and named is not None:
        require(asked, Act.APPLY)
        return registered_system(asked.store, named)
    if asked.caller.is_person:
        raise Invalid(
            "请在 system 中写明授权给哪个系统；人员不持有授权。",
            "Name in `system` which system the grant is for; people hold no grants.",
            problems={"system": None},
        )
    raise NotYours(
        f"系统 {asked.caller.urn} 只能为自己申请，不能为 {named} 申请。",
        f"System {asked.caller.urn} applies for itself, not for {named}.",
        system=named,
    )


def _own(asked: Context, application_id: str) -> applications.Application:
    agency = _concerning(asked)
    with asked.store.read() as conn:
        found = applications.read_application(conn, application_id)
    if agency is not None and not applications.concerns(found, agency):
        raise NotFound(f"没有编号为 {application_id} 的申请。", f"There is no application {application_id}.")
    return found


def _told(application: applications.Application, asked: Context, status: int) -> Response:
    answer = jsonify(_application(application, load_working_days(asked.store.settings.home), asked))
    answer.status_code = status
    return answer


def _application(one: applications.Application, calendar: WorkingDays, asked: Context) -> dict[str, Any]:
    return {
        **_dated(asdict(one)),
        "missing": list(one.missing),
        "clock": clocks.clock(one, calendar, asked.now),
    }


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
