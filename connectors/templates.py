"""Filling in request templates: ``{cursor}``, ``{now}``, ``{today}``, ``{secret:NAME}``; ``{{`` is a brace."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from connectors.connections import Connection
from connectors.cursors import asked_from
from connectors.errors import Refused
from connectors.spec import SourceSpec
from schemas.china_time import CHINA

_PLACE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")


def fill(
    templates: Mapping[str, str], spec: SourceSpec, connection: Connection, cursor: str | None, now: datetime
) -> dict[str, str]:
    """Each template with its places filled in.

    Raises:
        Refused: a place that is not one of the four, a secret that is not there, or no ``cursor:`` declared.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name is None:
            return match[0][0]
        if name == "cursor" and spec.cursor:
            return asked_from(spec.cursor, cursor).strftime(spec.cursor.format)
        if name in ("now", "today"):
            local = now.astimezone(CHINA)
            return local.isoformat(timespec="seconds") if name == "now" else local.date().isoformat()
        if name.startswith("secret:"):
            return connection.secret(name.removeprefix("secret:"))
        raise Refused(
            f"{spec.source}：请求模板中的 {{{name}}} 无法填写；请更正 source.yml。",
            f"{spec.source}: {{{name}}} in a request template cannot be filled in; correct source.yml.",
            source=spec.source,
            place=name,
        )

    return {key: _PLACE.sub(value, template) for key, template in templates.items()}
