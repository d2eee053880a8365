"""Running gunicorn inside this process, with settings instead of a configuration file."""

from __future__ import annotations

import importlib
import json
import os
import ssl
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, cast

from gunicorn.app.base import BaseApplication

from gateway.certificates_files import pki_files
from gateway.passphrases import key_passphrase
from gateway.server.limits import end_oversized, limit_body
from gateway.server.tls import ReloadingContext
from gateway.settings import Settings
from gateway.undisturbed import let_alone

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

GATEWAY_APP = "gateway.api.served:create_served_app"

AppFactory = Callable[[Settings], "WSGIApplication"]
"""Makes the application from the settings; called once in every worker process, after it began."""

# Longer than what clients and proxies keep an idle connection (60 s), so that they are the ones who end it.
KEEPALIVE_SECONDS = 75
GRACEFUL_SECONDS = 10

UNIX = "unix:"
# Read and write for owner and group: whoever may connect may say who the client is.
SOCKET_UMASK = 0o117


class _Application(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    """gunicorn's view of the gateway."""

    def __init__(self, settings: Settings, app_factory: AppFactory, ready: Callable[[str], None]) -> None:
        self._settings, self._app_factory, self._ready = settings, app_factory, ready
        super().__init__()

    def load_config(self) -> None:
        for name, value in _options(self._settings, self._ready).items():
            self.cfg.set(name, value)

    def load(self) -> WSGIApplication:
        return limit_body(self._app_factory(self._settings), self._settings.max_body_bytes)


def serve(settings: Settings, app_factory: AppFactory, ready: Callable[[str], None] = lambda url: None) -> None:
    """Serve over TLS until a signal ends it; returns never, gunicorn exits the process.

    Args:
        app_factory: the application; made in each worker, so that no database connection is shared by a fork.
        ready: told the address once the port is bound; port 0 has become a real one by then.
    """
    # Kept from looking for gunicorn.conf.py and GUNICORN_CMD_ARGS: settings are the only configuration.
    os.environ.pop("GUNICORN_CMD_ARGS", None)
    _Application(settings, app_factory, ready).run()


def run_foreground(settings: Settings) -> None:
    """Serve the gateway itself in this process, for ``xinqiao serve``; the address is printed when it is bound."""
    serve(settings, factory_at(GATEWAY_APP), ready=lambda url: print(url, flush=True))  # noqa: T201 - the answer


def factory_at(path: str) -> AppFactory:
    """The factory at ``module:function``, imported when it is called, which is in the worker.

    The process that forks the workers must not have other threads, and importing Polars starts
    some. Nor does this package know the API, except by name.
    """
    module, _, name = path.partition(":")

    def make(settings: Settings) -> WSGIApplication:
        factory: AppFactory = getattr(importlib.import_module(module), name)
        made = factory(settings)
        # The application stays as long as its process. Looking through all of it for garbage makes a request wait.
        let_alone()
        return made

    return make


def _options(settings: Settings, ready: Callable[[str], None]) -> dict[str, object]:
    return {
        **(_behind_proxy(settings, ready) if settings.proxy_socket else _in_front(settings, ready)),
        "worker_class": "gthread",
        "workers": settings.workers,
        "threads": settings.threads,
        "keepalive": KEEPALIVE_SECONDS,
        "graceful_timeout": GRACEFUL_SECONDS,
        "pre_request": end_oversized(settings.max_body_bytes),
        # It would open a control socket in the user's home, through which anyone of that user commands the server.
        "control_socket_disable": True,
        # Nobody may speak for someone else: not scheme, not path, not client. gunicorn believes every peer of a
        # Unix socket in these, so there is nothing left to believe; the certificate is ``gateway.api.peer``'s.
        "forwarded_allow_ips": "",
        "secure_scheme_headers": {},
        "forwarder_headers": "",
        "errorlog": "-",
        "loglevel": "warning",
        "proc_name": "xinqiao",
    }


def _in_front(settings: Settings, ready: Callable[[str], None]) -> dict[str, object]:
    """TLS on a port, done here."""
    files = pki_files(settings)
    context = ReloadingContext(files, partial(key_passphrase, settings))
    host = f"[{settings.host}]" if ":" in settings.host else settings.host

    def ssl_context(conf: object, default: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
        # gunicorn asks for every connection; a context made each time costs half of the handshakes.
        return context.current()

    def when_ready(arbiter: object) -> None:
        listener = cast("list[object]", arbiter.LISTENERS)[0]  # type: ignore[attr-defined]  # gunicorn ships no types
        ready(f"https://{host}:{listener.sock.getsockname()[1]}")  # type: ignore[attr-defined]  # as above

    return {
        "bind": f"{host}:{settings.port}",
        "certfile": str(files.gateway),
        "keyfile": str(files.gateway_key),
        "ssl_context": ssl_context,
        "when_ready": when_ready,
    }


def _behind_proxy(settings: Settings, ready: Callable[[str], None]) -> dict[str, object]:
    """A Unix socket for the proxy that does TLS, open to our own user and group; no port at all."""
    path = settings.home / settings.proxy_socket
    path.parent.mkdir(parents=True, exist_ok=True)

    def when_ready(arbiter: object) -> None:
        ready(f"{UNIX}{path}")

    return {"bind": f"{UNIX}{path}", "umask": SOCKET_UMASK, "when_ready": when_ready}


def report_ready(descriptor: int, url: str) -> None:
    """Tell a waiting parent process the address, as one JSON line on a pipe, and close the pipe."""
    with os.fdopen(descriptor, "w", encoding="utf-8") as pipe:
        pipe.write(json.dumps({"url": url, "pid": os.getpid()}) + "\n")
