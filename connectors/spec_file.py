"""Reading ``source.yml``: from a file to a :class:`~connectors.spec.SourceSpec`, or an error naming file and key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from marshmallow import ValidationError

from connectors import spec
from connectors.errors import Refused
from connectors.spec_schema import REQUESTS, SourceSchema
from connectors.yaml_file import read_yaml


def load_spec(folder: Path) -> spec.SourceSpec:
    """The source described in ``folder/source.yml``; agency and source are the names of the folders.

    Raises:
        Refused: the file is not what ``docs/sources.md`` describes; every wrong key is named.
    """
    file = folder / "source.yml"
    try:
        data: dict[str, Any] = SourceSchema().load(read_yaml(file))
        data["request"] = _request(data)
        _check_names(data)
    except ValidationError as error:
        problems = [f"{path}: {message}" for path, message in _flatten(error.messages_dict)]
        listed = "; ".join(problems)
        raise Refused(
            f"{file}：{len(problems)} 处不符合格式：{listed}。请对照 docs/sources.md 更正。",
            f"{file}: {len(problems)} entries are not in the format: {listed}. Correct them; see docs/sources.md.",
            file=str(file),
            problems=problems,
        ) from error
    title = data.pop("title")
    return spec.SourceSpec(
        source=f"{folder.parent.name}/{folder.name}",
        folder=folder,
        title_zh=title["zh"],
        title_en=title["en"],
        **{**data, "forms": tuple(data["forms"]), "lookups": {k: tuple(v) for k, v in data["lookups"].items()}},
    )


def _request(data: Mapping[str, Any]) -> spec.Request:
    try:
        request: spec.Request = REQUESTS[data["transport"]]().load(data["request"])
    except ValidationError as error:
        raise ValidationError({"request": error.messages_dict}) from error
    return request


def _check_names(data: Mapping[str, Any]) -> None:
    """Names used in one section must be defined in another."""
    for form in data["forms"]:
        for column in form.columns:
            if column.lookup and column.lookup not in data["lookups"]:
                raise ValidationError({"forms": {form.name: {column.field: [f"no lookup named {column.lookup!r}"]}}})
    names = [form.name for form in data["forms"]]
    if len(set(names)) < len(names):
        raise ValidationError({"forms": [f"form names repeat: {names}"]})
    for name, words in data["lookups"].items():
        seen = [word for entry in words for word in entry.words]
        if repeated := sorted({word for word in seen if seen.count(word) > 1}):
            raise ValidationError({"lookups": {name: [f"words given twice: {repeated}"]}})


def _flatten(messages: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(messages, dict):
        for key, inner in messages.items():
            yield from _flatten(inner, f"{path}.{key}".lstrip(".").replace("._schema", ""))
    elif isinstance(messages, list):
        for inner in messages:
            yield from _flatten(inner, path)
    else:
        yield path, str(messages)
