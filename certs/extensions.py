"""Looking for one extension: what certificates, requests, lists and answers all need."""

from __future__ import annotations

from typing import TypeVar

from cryptography import x509

_Kind = TypeVar("_Kind", bound=x509.ExtensionType)


def extension_of(extensions: x509.Extensions, kind: type[_Kind]) -> x509.Extension[_Kind] | None:
    """The extension of that type with its criticality, or None."""
    try:
        return extensions.get_extension_for_class(kind)
    except x509.ExtensionNotFound:
        return None


def value_of(extensions: x509.Extensions, kind: type[_Kind]) -> _Kind | None:
    """What the extension of that type says, or None."""
    found = extension_of(extensions, kind)
    return found.value if found is not None else None
