"""flask-smorest's Blueprint with types, and strict: a misspelt query parameter is told, not passed over."""

from __future__ import annotations

from collections.abc import Callable
from http.client import NO_CONTENT
from typing import Any, TypeVar, cast

import flask_smorest
from marshmallow import RAISE
from webargs.flaskparser import FlaskParser

from gateway.api.callers import context

_SOME_OBJECT = {"type": "object"}

F = TypeVar("F", bound=Callable[..., Any])


class _StrictParser(FlaskParser):
    """Refuses what no schema names, in the query as in the body."""

    DEFAULT_UNKNOWN_BY_LOCATION = {**FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION, "query": RAISE}


class Blueprint(flask_smorest.Blueprint):  # type: ignore[misc]  # flask-smorest ships no types
    """A group of operations of ``/v1``; each decorator gives back a view of the same type.

    The caller is verified before anything else: arguments of a stranger are not read, a body not parsed.
    """

    ARGUMENTS_PARSER = _StrictParser()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.before_request(_demand_caller)

    def get(self, rule: str, **options: Any) -> Callable[[F], F]:
        """Answer GET at an address."""
        return cast(Callable[[F], F], super().get(rule, **options))

    def post(self, rule: str, **options: Any) -> Callable[[F], F]:
        """Answer POST at an address."""
        return cast(Callable[[F], F], super().post(rule, **options))

    def arguments(self, schema: object, **options: Any) -> Callable[[F], F]:
        """Parse and check arguments; the view gets them first."""
        return cast(Callable[[F], F], super().arguments(schema, **options))

    def response(self, status_code: int, schema: object = None, **options: Any) -> Callable[[F], F]:
        """Describe the answer: a JSON object, unless a schema says more or there is no content."""
        described = _SOME_OBJECT if schema is None and status_code != NO_CONTENT else schema
        return cast(Callable[[F], F], super().response(status_code, described, **options))

    def alt_response(self, status_code: int, response: str | None = None, **options: Any) -> Callable[[F], F]:
        """Describe another answer."""
        return cast(Callable[[F], F], super().alt_response(status_code, response, **options))

    def doc(self, **options: Any) -> Callable[[F], F]:
        """Describe what else the OpenAPI document says of the operation."""
        return cast(Callable[[F], F], super().doc(**options))


def _demand_caller() -> None:
    context()
