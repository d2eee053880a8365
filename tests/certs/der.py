"""Just enough DER to make certificates that no builder agrees to make."""

from __future__ import annotations

from collections.abc import Callable


def split(content: bytes) -> list[bytes]:
    """The encoded elements, one after the other, of the content of a constructed element."""
    elements = []
    while content:
        header, length = _head(content)
        elements.append(content[: header + length])
        content = content[header + length :]
    return elements


def inside(element: bytes) -> bytes:
    """The content of one encoded element."""
    header, length = _head(element)
    return element[header : header + length]


def wrap(tag: int, content: bytes) -> bytes:
    """An element of that tag around the content."""
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    size = (len(content).bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + len(content).to_bytes(size, "big") + content


def sequence(elements: list[bytes]) -> bytes:
    """A SEQUENCE of encoded elements."""
    return wrap(0x30, b"".join(elements))


def resign(
    certificate: bytes,
    sign: Callable[[bytes], bytes],
    change: Callable[[list[bytes]], list[bytes]],
    algorithm: bytes = b"",
) -> bytes:
    """A certificate with the fields of its TBSCertificate changed and the signature made anew.

    Args:
        sign: signs the new TBSCertificate; DER of an ECDSA signature.
        change: the elements of the TBSCertificate as they are → as they shall be.
        algorithm: another AlgorithmIdentifier; it replaces both copies.
    """
    fields, kept, _ = split(inside(certificate))
    changed = change(split(inside(fields)))
    if algorithm:
        changed = [algorithm if element == kept else element for element in changed]
    tbs = sequence(changed)
    return sequence([tbs, algorithm or kept, wrap(0x03, b"\0" + sign(tbs))])


def _head(content: bytes) -> tuple[int, int]:
    """Length of the header and of the content of the first element."""
    first = content[1]
    if first < 0x80:
        return 2, first
    size = first & 0x7F
    return 2 + size, int.from_bytes(content[2 : 2 + size], "big")
