"""The gateway's own server: gunicorn with threads, mutual TLS, limits. What it serves is ``gateway.api``'s business."""

from gateway.server.process import ServerProcess, start
from gateway.server.run import run_foreground, serve

__all__ = ["ServerProcess", "run_foreground", "serve", "start"]
