"""Which sources there are: the folders under ``connectors/agencies``. No list is kept by hand."""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from connectors.errors import Refused
from connectors.spec import SourceSpec
from connectors.spec_file import load_spec

AGENCIES = Path(__file__).parent / "agencies"


@lru_cache
def sources(root: Path = AGENCIES) -> dict[str, SourceSpec]:
    """Every source found, by name, sorted.

    Raises:
        Refused: a ``source.yml`` is not in the documented format.
    """
    specs = (load_spec(file.parent) for file in sorted(root.glob("*/*/source.yml")))
    return {spec.source: spec for spec in specs}


def source(name: str, root: Path = AGENCIES) -> SourceSpec:
    """The source ``<agency>/<source>``.

    Raises:
        Refused: there is no such folder; names the ones there are.
    """
    try:
        return sources(root)[name]
    except KeyError:
        known = sorted(sources(root))
        raise Refused(
            f"没有名为“{name}”的数据源。现有：{'、'.join(known)}。",
            f"there is no source named {name!r}; there are: {', '.join(known)}.",
            source=name,
            known=known,
        ) from None


def adapter(spec: SourceSpec) -> ModuleType | None:
    """The ``adapter.py`` beside ``source.yml``, or None; it may define ``receive``, ``prepare`` and ``TRANSFORMS``."""
    return _load(spec.folder)


@lru_cache
def _load(folder: Path) -> ModuleType | None:
    file = folder / "adapter.py"
    if not file.exists():
        return None
    name = f"connectors.agencies.{folder.parent.name}.{folder.name}.adapter"
    found = importlib.util.spec_from_file_location(name, file)
    if found is None or found.loader is None:
        raise Refused(f"{file}：无法载入。", f"{file}: cannot be loaded.", file=str(file))
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module
