"""The HTTP face: ``/v1``, the public files of the log and the authority, health. ``app.py`` puts it together."""

from gateway.api.app import create_app

__all__ = ["create_app"]
