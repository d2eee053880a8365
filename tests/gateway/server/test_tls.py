"""The reloading of the TLS context."""

from __future__ import annotations

import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from certs.authority import create, issue_server, open_authority
from certs.keys import make_key, save_key, write_whole
from certs.layout import Files
from gateway.client import client_context
from gateway.clock import utc_now
from gateway.server import tls
from gateway.server.tls import ReloadingContext, build_context


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    """The files of a gateway; looked at on every question, so that no test has to wait."""
    monkeypatch.setattr(tls, "LOOK_EVERY_SECONDS", 0.0)
    made = Files(tmp_path)
    create(tmp_path, utc_now())
    renew(made)
    return made


def renew(files: Files) -> None:
    issued = issue_server(open_authority(files.home), ["127.0.0.1"], utc_now())
    assert issued.key is not None
    save_key(files.gateway_key, issued.key)
    write_whole(files.gateway, issued.pem)


def test_the_context_is_built_once_while_nothing_changes(files: Files) -> None:
    reloading = ReloadingContext(files)

    assert reloading.current() is reloading.current()


def test_a_renewed_certificate_makes_a_new_context(files: Files) -> None:
    reloading = ReloadingContext(files)
    before = reloading.current()

    renew(files)

    assert reloading.current() is not before


def test_while_key_and_certificate_do_not_fit_the_context_before_stays(files: Files) -> None:
    reloading = ReloadingContext(files)
    before = reloading.current()

    save_key(files.gateway_key, make_key())
    during = reloading.current()
    renew(files)
    after = reloading.current()

    assert during is before
    assert after is not before


@pytest.mark.parametrize("broken", ["trust", "gateway", "gateway_key"])
def test_a_file_that_vanishes_leaves_the_context_before(files: Files, broken: str) -> None:
    reloading = ReloadingContext(files)
    before = reloading.current()

    getattr(files, broken).unlink()

    assert reloading.current() is before


def test_an_encrypted_server_key_is_refused_and_never_asked_for_at_a_terminal(files: Files) -> None:
    save_key(files.gateway_key, make_key(), b"secret")

    with pytest.raises(ValueError, match="must be usable without a person at the keyboard"):
        ReloadingContext(files)


def test_the_context_needs_tls_1_2_and_asks_for_a_certificate(files: Files) -> None:
    context = build_context(files)

    assert (context.minimum_version, context.verify_mode, context.num_tickets) == (
        ssl.TLSVersion.TLSv1_2,
        ssl.CERT_OPTIONAL,
        0,
    )


def test_a_peer_that_goes_silent_in_the_handshake_does_not_hold_a_thread(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "HANDSHAKE_SECONDS", 0.2)
    ours, theirs = socket.socketpair()

    with theirs, ours:
        theirs.sendall(b"\x16\x03\x01")  # the beginning of a ClientHello, and no more
        with pytest.raises(TimeoutError):
            build_context(files).wrap_socket(ours, server_side=True)


def test_a_peer_that_goes_silent_later_does_not_hold_a_thread_either(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "SILENCE_SECONDS", 0.2)
    ours, theirs = socket.socketpair()

    with ThreadPoolExecutor(1) as pool, theirs, ours:
        client = pool.submit(client_context(files.root).wrap_socket, theirs, server_hostname="127.0.0.1")
        server = build_context(files).wrap_socket(ours, server_side=True)
        with server, client.result(timeout=10):
            server.setblocking(True)  # as gunicorn does before each request
            with pytest.raises(TimeoutError):
                server.recv(1)
