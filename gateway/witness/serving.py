"""The witness as an HTTP service: one address, no authentication beyond the checkpoint's own signature."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from gunicorn.app.base import BaseApplication

from connectors.errors import Refused
from gateway.clock import utc_now
from gateway.witness.answering import MAX_BODY_BYTES, Answer, add_checkpoint
from gateway.witness.home import StateLost, WitnessHome

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ADD_CHECKPOINT = "/add-checkpoint"

log = structlog.get_logger(__name__)


def witness_app(home: WitnessHome, clock: Callable[[], datetime] = utc_now) -> WSGIApplication:
    """The application of a witness."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        answer = _answer(home, environ, clock())
        body = answer.body.encode()
        headers = [("Content-Type", answer.media_type), ("Content-Length", str(len(body)))]
        start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", headers)
        return [body]

    return application


def _answer(home: WitnessHome, environ: WSGIEnvironment, now: datetime) -> Answer:
    if environ.get("PATH_INFO") != ADD_CHECKPOINT:
        return Answer(404, "there is only add-checkpoint here\n")
    if environ.get("REQUEST_METHOD") != "POST":
        return Answer(405, "add-checkpoint takes POST\n")
    stated = environ.get("CONTENT_LENGTH") or ""
    if not (stated.isascii() and stated.isdigit()):
        return Answer(411, "a request states its Content-Length\n")
    if int(stated) > MAX_BODY_BYTES:
        return Answer(413, f"at most {MAX_BODY_BYTES} bytes\n")
    try:
        answer = add_checkpoint(home, environ["wsgi.input"].read(int(stated)), now)
    except StateLost as error:
        log.error("cosigning stopped", problem=error.en)
        return Answer(500, f"{error.en}\n")
    if answer.status != HTTPStatus.OK:
        log.warning("checkpoint not cosigned", status=answer.status, said=answer.body.strip())
    return answer


class _Application(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    def __init__(self, home: WitnessHome, options: dict[str, object]) -> None:
        self._home, self._options = home, options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> WSGIApplication:
        return witness_app(self._home)


def serve_witness(
    home: WitnessHome, host: str, port: int, certificate: Path | None, key: Path | None, ready: Callable[[str], None]
) -> None:
    """Serve until a signal ends it; never returns.

    Args:
        certificate, key: PEM of the server; without them plain HTTP, on the loopback only, behind a proxy.
        ready: told the address once the port is bound.

    Raises:
        Refused: plain HTTP for others than this machine, or a log whose record is gone.
    """
    home.cosigner()
    for watched in home.logs():
        home.cosigned(watched)
    if certificate is None and not _is_loopback(host):
        raise Refused(
            f"{host} 不是环回地址；请用 --cert 和 --key，或在前面放置代理",
            f"{host} is no loopback address; give --cert and --key, or put a proxy in front",
        )
    shown = f"[{host}]" if ":" in host else host

    def when_ready(arbiter: object) -> None:
        bound = arbiter.LISTENERS[0].sock.getsockname()[1]  # type: ignore[attr-defined]  # gunicorn ships no types
        ready(f"{'https' if certificate else 'http'}://{shown}:{bound}")

    options: dict[str, object] = {
        "bind": f"{shown}:{port}",
        "worker_class": "gthread",
        "workers": 1,
        "threads": 4,
        "keepalive": 75,
        "when_ready": when_ready,
        "control_socket_disable": True,
        "forwarded_allow_ips": "",
        "errorlog": "-",
        "loglevel": "warning",
        "proc_name": "xinqiao-witness",
    }
    if certificate and key:
        options |= {"certfile": str(certificate), "keyfile": str(key)}
    _Application(home, options).run()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
