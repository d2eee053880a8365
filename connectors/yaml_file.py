"""Reading YAML so that nothing is guessed: no dates, no yes/no, no key said twice."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from connectors.errors import Refused

try:
    # Ten times as fast, and every Airflow task reads a source.yml before it does anything.
    from yaml import CSafeLoader as _Safe
except ImportError:  # PyYAML was built without libyaml
    from yaml import SafeLoader as _Safe  # type: ignore[assignment]  # the same interface, all in Python


class _Strict(_Safe):
    """SafeLoader that keeps ``2024-01-01``, ``on`` and ``12:30`` as the text they are."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, Any]]] = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuse a key that is there twice: YAML would silently keep the last one."""
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} is there twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


for _tag, _pattern, _first in (
    ("tag:yaml.org,2002:bool", r"^(?:true|false)$", "tf"),
    ("tag:yaml.org,2002:int", r"^-?(?:0|[1-9][0-9]*)$", "-0123456789"),
    ("tag:yaml.org,2002:float", r"^-?(?:0|[1-9][0-9]*)\.[0-9]+$", "-0123456789"),
    ("tag:yaml.org,2002:null", r"^(?:null|~|)$", ["n", "~", ""]),
):
    _Strict.add_implicit_resolver(_tag, re.compile(_pattern), list(_first))


def read_yaml(file: Path) -> dict[str, Any]:
    """The mapping that a YAML file holds.

    Raises:
        Refused: not readable, not YAML, not a mapping, or a key is there twice; names file and line.
    """
    try:
        content = yaml.load(file.read_bytes(), Loader=_Strict)  # noqa: S506 - a SafeLoader with fewer types
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise Refused(
            f"{file}：无法读取：{error}。请更正该文件。",
            f"{file}: cannot be read: {error}. Correct the file.",
            file=str(file),
        ) from error
    if not isinstance(content, dict):
        raise Refused(
            f"{file}：应为键值映射。请对照 docs/sources.md。",
            f"{file}: expected a mapping of keys to values; see docs/sources.md.",
            file=str(file),
        )
    return content
