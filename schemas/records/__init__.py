"""Record types: one module each, found by folder. Adding one means adding its module, nothing else."""

from __future__ import annotations

import importlib
import pkgutil
from types import MappingProxyType

from schemas.base import RecordSchema


def _found() -> dict[str, type[RecordSchema]]:
    """Record type -> schema, by module name; modules that begin with ``_`` hold shared parts."""
    types: dict[str, type[RecordSchema]] = {}
    for module in pkgutil.iter_modules(__path__):
        if module.name.startswith("_"):
            continue
        declared = vars(importlib.import_module(f"{__name__}.{module.name}")).values()
        for schema in declared:
            if isinstance(schema, type) and issubclass(schema, RecordSchema) and schema is not RecordSchema:
                if schema.record_type != module.name:
                    raise ValueError(f"{module.name}.py declares record type {schema.record_type!r}")
                types[module.name] = schema
    return types


RECORD_TYPES: MappingProxyType[str, type[RecordSchema]] = MappingProxyType(_found())
"""Record type -> marshmallow schema, in alphabetical order."""
