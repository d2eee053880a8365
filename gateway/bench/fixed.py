"""The served application with one address more, the same bytes every time: what lookups are held against."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from flask import Flask, Response

from gateway.api.served import create_served_app
from gateway.settings import Settings

FIXED = "/fixed"


def fixed_body(home: Path) -> Path:
    """The file with what ``FIXED`` answers, read once per process."""
    return home / "fixed-body"


def create_measured_app(settings: Settings) -> Flask:
    """The gateway as it is served, and ``FIXED``: no certificate looked at, nothing read, nothing written."""
    app = create_served_app(settings)

    @cache
    def body() -> bytes:
        return fixed_body(settings.home).read_bytes()

    @app.get(FIXED)
    def fixed() -> Response:
        return Response(body(), mimetype="application/json")

    return app
