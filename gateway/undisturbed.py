"""Work that makes many objects, kept from being interrupted by looks at all the others."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def undisturbed() -> Iterator[None]:
    """What is there when the block begins is not looked through for garbage until it ends.

    Staging makes millions of short-lived lists and texts, and each few thousand of them made Python's collector go
    through all that a loaded process holds: a twentieth to a tenth of the time of staging. New garbage is collected
    inside the block as ever. A process that has let things alone for good stays as it is; so does one in which another
    thread is in such a block, whose end is the end for both.
    """
    if gc.get_freeze_count():
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
