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
    return {name: _load_source(folder) for name, folder in _folders(root).items()}


def source(name: str, root: Path = AGENCIES) -> SourceSpec:
    """The source ``<agency>/<source>``; no other is read, so one task does not pay for all.

    Raises:
        Refused: there is no such folder; names the ones there are.
    """
    folders = _folders(root)
    if name not in folders:
        known = list(folders)
        raise Refused(
            f"没有名为“{name}”的数据源。现有：{'、'.join(known)}。",
            f"there is no source named {name!r}; there are: {', '.join(known)}.",
            source=name,
            known=known,
        )
    return _load_source(folders[name])


def source_names(root: Path = AGENCIES) -> list[str]:
    """Names of all sources, sorted, without reading what they are."""
    return list(_folders(root))


@lru_cache
def _folders(root: Path) -> dict[str, Path]:
    """Where each source is described, by name, sorted."""
    folders = (file.parent for file in sorted(root.glob("*/*/source.yml")))
    return {f"{folder.parent.name}/{folder.name}": folder for folder in folders}


@lru_cache
def _load_source(folder: Path) -> SourceSpec:
    return load_spec(folder)


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
