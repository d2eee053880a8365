"""Starts the sandbox agencies: one TLS listener an endpoint, drop folders, a front-end database, a control port."""

from __future__ import annotations

import importlib
import pkgutil
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

import connectors.sandbox
from connectors.sandbox.control import control_application
from connectors.sandbox.dirt import Dirt
from connectors.sandbox.misbehave import misbehaving
from connectors.sandbox.service import Service, State
from connectors.sandbox.tls import SandboxTls, make_tls
from connectors.sandbox.world import World

if TYPE_CHECKING:
    import ssl

    from _typeshed.wsgi import WSGIApplication


class _QuietHandler(WSGIRequestHandler):
    """Requests are the gateway's story to tell: the sandbox writes nothing to the terminal."""

    def log(self, type: str, message: str, *args: object) -> None:
        """Say nothing."""


@dataclass(frozen=True)
class _Listener:
    """A running server and what it needs to be stopped or to change its certificate."""

    server: BaseWSGIServer
    thread: threading.Thread
    context: ssl.SSLContext | None

    @property
    def port(self) -> int:
        return int(self.server.port)

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(10)


@dataclass
class Sandbox:
    """The running agencies. Make one with ``start``.

    Attributes:
        home: where its keys, secrets, folders and database lie.
        world: what the agencies talk about.
        services: by endpoint name.
        control_url: plain HTTP on loopback; ``control_token`` goes into ``Authorization: Bearer``.
    """

    home: Path
    world: World
    state: State
    tls: SandboxTls
    host: str
    services: dict[str, Service]
    control_token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    control_url: str = ""
    _listeners: dict[str, _Listener] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def connections(self) -> dict[str, Any]:
        """Content of ``connections.yml``: how the gateway reaches every endpoint; files relative to ``home``."""
        return {"endpoints": {name: self._entry(service) for name, service in sorted(self.services.items())}}

    def misbehave(self, endpoint: str, how: str | None) -> None:
        """Let an endpoint misbehave (a kind of ``misbehave.KINDS``) until told otherwise; None ends it.

        Raises:
            ValueError: no such endpoint or kind.
        """
        if endpoint not in self.services:
            raise ValueError(f"unknown endpoint {endpoint!r}; known: {sorted(self.services)}")
        with self._lock:
            self.state.moods.set(endpoint, how)
            if (listener := self._listeners.get(endpoint)) and listener.context:
                pair = self.tls.expired if how == "expired_certificate" else self.tls.server
                listener.context.load_cert_chain(pair.certificate, pair.key)
            if told := self.services[endpoint].misbehaved:
                told(how)

    def advance(self) -> None:
        """The world moves one day, and every agency with it."""
        with self._lock:
            self.world.advance()
            for service in self.services.values():
                if service.advance:
                    service.advance()

    def stop(self) -> None:
        """Stop every server. What lies under ``home`` stays."""
        self.state.moods.clear()
        with ThreadPoolExecutor() as together:
            list(together.map(_Listener.stop, self._listeners.values()))
        self._listeners.clear()
        for service in self.services.values():
            if service.stop:
                service.stop()

    def _listen(self, name: str, application: WSGIApplication, context: ssl.SSLContext | None) -> _Listener:
        server = make_server(self.host, 0, application, threaded=True, request_handler=_QuietHandler)
        if context:
            # The handshake belongs to the thread of the request: a caller that never shakes hands
            # must not keep the others from being accepted.
            server.ssl_context = context
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, args=(0.1,), name=f"sandbox {name}", daemon=True)
        thread.start()
        self._listeners[name] = listener = _Listener(server, thread, context)
        return listener

    def _entry(self, service: Service) -> dict[str, Any]:
        if service.application is None:
            return dict(service.entry)
        listener = self._listeners[service.endpoint]
        entry: dict[str, Any] = {
            "url": f"https://{self.host}:{listener.port}{service.path}",
            "ca": self._relative(self.tls.server_ca),
        }
        if service.client_certificate:
            entry["certificate"] = self._relative(self.tls.client.certificate)
            entry["key"] = self._relative(self.tls.client.key)
        return {**entry, **service.entry}

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.home).as_posix()


def start(
    home: Path,
    seed: int = 7,
    size: int = 300,
    host: str = "127.0.0.1",
    share: float = 0.03,
    now: datetime | None = None,
) -> Sandbox:
    """Start all agencies on free ports of ``host`` and return once they accept connections.

    Args:
        home: made if it is not there; usually the gateway's own ``XINQIAO_HOME``, because ``connections()``
            names secrets and certificates relative to it.
        seed: of the world and its dirt.
        size: number of entities.
        share: share of dirty rows.
        now: UTC, for the certificates; default the machine's clock.
    """
    home = home.absolute()
    home.mkdir(parents=True, exist_ok=True)
    world, state = World(seed, size), State(home)
    tls = make_tls(home / "sandbox" / "tls", now or datetime.now(UTC))
    dirt = Dirt(world.rng("dirt"), share, spare={world.showcase_uscc})
    services = {service.endpoint: service for service in build_services(world, dirt, state)}
    sandbox = Sandbox(home, world, state, tls, host, services)
    for service in services.values():
        if service.application:
            application = misbehaving(service.application, service.endpoint, state.moods)
            sandbox._listen(service.endpoint, application, tls.context(demand_client=service.client_certificate))
    control = sandbox._listen("control", control_application(sandbox), None)
    sandbox.control_url = f"http://{host}:{control.port}/control"
    return sandbox


def build_services(world: World, dirt: Dirt, state: State) -> list[Service]:
    """The services of every module here whose name ends in ``_service``.

    Raises:
        ValueError: two services claim one endpoint name.
    """
    built: list[Service] = []
    for module in sorted(pkgutil.iter_modules(connectors.sandbox.__path__), key=lambda found: found.name):
        if module.name.endswith("_service"):
            built += importlib.import_module(f"connectors.sandbox.{module.name}").build(world, dirt, state)
    names = [service.endpoint for service in built]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"endpoint names used twice: {twice}")
    return built
