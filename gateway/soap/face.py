"""``/soap``: from HTTP to an operation and back. Faults are typed; every answer keeps our own contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import structlog
from flask import Blueprint, Response, request
from lxml import etree
from werkzeug.exceptions import NotFound, UnsupportedMediaType

from gateway.access.context import Context
from gateway.access.errors import Invalid
from gateway.soap import contract
from gateway.soap.contract import make
from gateway.soap.envelope import SOAP11, SOAP12, SoapError, Version, fault, read, version_of, write, xml_text
from gateway.soap.operations import OPERATIONS, UNDERSTOOD

log = structlog.get_logger(__name__)

MAX_ENVELOPE_BYTES = 64 * 1024 * 1024
"""An envelope is held in memory as a tree; larger files are uploaded over HTTP, where they are streamed."""


class Explanation(Protocol):
    """What an error comes to: the part of a problem document that a fault tells too."""

    @property
    def status(self) -> int:
        """HTTP status: whose fault it was."""
        ...

    @property
    def code(self) -> str:
        """Stable code."""
        ...

    @property
    def details(self) -> Mapping[str, object]:
        """Machine-readable facts, among them when to come back."""
        ...

    @property
    def zh(self) -> str:
        """One sentence in 简体中文."""
        ...

    @property
    def en(self) -> str:
        """The same in English."""
        ...


def soap_blueprint(
    context: Callable[[], Context], explain: Callable[[Exception], Explanation], request_id: Callable[[], str]
) -> Blueprint:
    """The face as a Flask blueprint.

    Args:
        context: the verified caller of this request with what its use cases need; raises if there is none.
        explain: the one table of what errors mean.
        request_id: id of this request.
    """
    blueprint = Blueprint("soap", __name__)

    @blueprint.get("/soap")
    def describe() -> Response:
        return Response(contract.document(contract.WSDL, request.base_url), mimetype="text/xml")

    @blueprint.get("/soap/<name>")
    def file(name: str) -> Response:
        known = {contract.WSDL, contract.XSD}
        if name not in known:
            raise NotFound
        address = request.base_url.removesuffix(f"/{name}")
        return Response(contract.document(name, address), mimetype="text/xml")

    @blueprint.post("/soap")
    def call() -> Response:
        version = version_of(request.content_type or "")
        if version is None:
            raise UnsupportedMediaType
        try:
            # Before the body is read: for a stranger nothing is held in memory and nothing parsed.
            caller = context()
        except Exception as error:  # an outermost edge, as below
            return _failed(version, explain(error), request_id())
        request.max_content_length = min(MAX_ENVELOPE_BYTES, request.max_content_length or MAX_ENVELOPE_BYTES)
        raw = request.get_data(cache=False)
        try:
            return _answer(version, 200, _perform(read(raw, version, UNDERSTOOD).body, caller))
        except SoapError as error:
            told = _fault(error.version, error.fault, error.code, error.zh, error.en, request_id())
            return _answer(error.version, _status(error.version, is_sender=True), told)
        except Exception as error:  # the outermost edge: whatever happened is answered as a fault
            return _failed(version, explain(error), request_id())

    return blueprint


def _failed(version: Version, said: Explanation, request_id: str) -> Response:
    is_sender = said.status < 500
    told = _fault(version, "sender" if is_sender else "receiver", said.code, said.zh, said.en, request_id)
    answer = _answer(version, _status(version, is_sender=is_sender), told)
    if (seconds := said.details.get("retry_after_s")) is not None:
        answer.headers["Retry-After"] = str(seconds)
    return answer


def _perform(asked: etree._Element, context: Context) -> etree._Element:
    operation = OPERATIONS.get(str(asked.tag))
    if operation is None:
        raise Invalid(
            f"没有操作 {asked.tag}。",
            f"There is no operation {asked.tag}; there are: {', '.join(OPERATIONS)}.",
        )
    if wrong := contract.problems(asked):
        raise Invalid(
            f"请求不符合 XSD：{'；'.join(wrong)}",
            f"The request contradicts the XSD: {'; '.join(wrong)}",
            problems=wrong,
        )
    answer = operation(asked, context)
    if broken := contract.problems(answer):
        # Better no answer than one that breaks the promise; the log says where.
        raise RuntimeError(f"our own answer contradicts the XSD: {broken}")
    return answer


def _fault(version: Version, kind: str, code: str, zh: str, en: str, request_id: str) -> etree._Element:
    detail = make(
        "problem", make("code", code), make("zh", xml_text(zh)), make("en", xml_text(en)), make("requestId", request_id)
    )
    return fault(version, kind, f"{zh} / {en}", detail)


def _status(version: Version, *, is_sender: bool) -> int:
    # SOAP 1.1, 6.2: every fault is 500. SOAP 1.2 part 2, table 20: a sender's fault is 400.
    return 400 if version is SOAP12 and is_sender else 500


def _answer(version: Version, status: int, part: etree._Element) -> Response:
    media_type = SOAP11.media_type if version is SOAP11 else SOAP12.media_type
    return Response(write(version, part), status, content_type=f"{media_type}; charset=utf-8")
