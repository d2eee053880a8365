"""Who acts when a verb is typed."""

from __future__ import annotations

import getpass


def operator() -> str:
    """Who sits at the keyboard, as far as the operating system knows."""
    return f"cli:{getpass.getuser()}"
