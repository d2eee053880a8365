"""Content codings of streamed answers: zstd (RFC 8878) or gzip, whichever the client prefers, else as it is."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from werkzeug.datastructures import Accept

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdCompressor
else:
    from backports.zstd import ZstdCompressor

_LEVEL = 1
"""Feeds repeat themselves so much that the cheapest level already makes a fifth of them."""


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


def _gzip() -> _Compressor:
    return zlib.compressobj(_LEVEL, wbits=16 + zlib.MAX_WBITS)


CODINGS: dict[str, Callable[[], _Compressor]] = {"zstd": lambda: ZstdCompressor(level=_LEVEL), "gzip": _gzip}
"""Name in ``Content-Encoding`` -> maker of a compressor, ours first where the client has no preference."""


def chosen(accepted: Accept) -> str | None:
    """The coding to answer in; None for none. Only what is named is used: ``*`` says nothing about zstd."""
    named = {name: accepted.quality(name) for name, _ in accepted if name in CODINGS}
    return max(CODINGS, key=lambda name: named.get(name, 0)) if any(named.values()) else None


def encoded(blocks: Iterable[bytes], coding: str) -> Iterator[bytes]:
    """The blocks in a coding, in bounded memory: one is compressed while the next is fetched."""
    compressor = CODINGS[coding]()
    with ThreadPoolExecutor(1, "encoding") as aside:
        waiting: Future[bytes] | None = None
        for block in blocks:
            ready, waiting = waiting, aside.submit(compressor.compress, block)
            if ready is not None and (part := ready.result()):
                yield part
        if waiting is not None:
            yield waiting.result()
    yield compressor.flush()
