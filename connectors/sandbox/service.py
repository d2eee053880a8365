"""What a sandbox service is: one endpoint of one agency. ``serve.py`` starts every module named ``*_service``.

Such a module offers ``build(world, dirt, state) -> list[Service]`` and nothing else that others need.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from connectors.sandbox.misbehave import Moods

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


@dataclass(frozen=True)
class State:
    """What services share.

    Attributes:
        home: everything the sandbox writes lies under it.
        moods: how each endpoint misbehaves now.
    """

    home: Path
    moods: Moods = field(default_factory=Moods)

    def secret(self, name: str, value: str) -> str:
        """Write a secret the gateway must know to ``home/secrets`` and return its file name for ``connections.yml``."""
        folder = self.home / "secrets"
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / name
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_text(value, "utf-8")
        return name

    def folder(self, *names: str) -> Path:
        """A folder under ``home``, made if it is not there; e.g. ``folder("drop", "customs", "import_refusals")``."""
        path = self.home.joinpath(*names)
        path.mkdir(parents=True, exist_ok=True)
        return path


@dataclass(frozen=True)
class Service:
    """One endpoint.

    Attributes:
        endpoint: its name in ``connections.yml``, e.g. ``customs_registrations``.
        agency: whose it is.
        entry: its entry in ``connections.yml``: ``secrets``, ``options``, and for a service that is not HTTP
            its ``url``; ``url``, ``ca``, ``certificate`` and ``key`` of HTTP services are added by ``serve.py``.
        application: WSGI application, served over TLS on a port of its own; None for folders and databases.
        path: what follows the address in the entry's ``url``, e.g. ``/ws/registration``.
        client_certificate: whether a caller must show a certificate of the sandbox's client authority.
        advance: called after the world has moved a day.
        misbehaved: called when the endpoint's mood changed, with the kind or None; HTTP services do not need it,
            folders and databases change what lies there.
        stop: called once at the end.
    """

    endpoint: str
    agency: str
    entry: Mapping[str, object] = field(default_factory=dict)
    application: WSGIApplication | None = None
    path: str = ""
    client_certificate: bool = False
    advance: Callable[[], None] | None = None
    misbehaved: Callable[[str | None], None] | None = None
    stop: Callable[[], None] | None = None
