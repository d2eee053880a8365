"""Pushing to a real HTTPS receiver over mutual TLS: at least once, signed, to the pinned certificate and no other."""

from __future__ import annotations

import hashlib
import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from certs.authority import open_authority
from certs.keys import save_key, write_whole
from certs.signed.http import Fields, Request, check_digest, verify
from certs.signed.proof import KeyHint, Signer
from certs.suites import key_of
from certs.verify import serial_text
from connectors.errors import Refused
from gateway.audit.log import seal
from gateway.audit.reading import list_entries
from gateway.certificates import issue_server_certificate
from gateway.certificates_holders import resume_holder, suspend_holder
from gateway.certificates_publish import pki_files
from gateway.cli.notifications import notifications as verb
from gateway.clock import utc_now
from gateway.notifications import dispatch as dispatching
from gateway.notifications.dispatch import MAX_ATTEMPTS, dispatch, wait_after
from gateway.notifications.endpoints import load_endpoints
from gateway.notifications.outbox import list_notifications
from tests.gateway.api.installation import ONE, SOURCE, Installation, System, ask, company_list, install
from tests.gateway.notifications.support import NAME, PROVIDER, RIGHT, challenge, decide, kinds, read_feed, reader


@dataclass
class Receiver:
    """A system's own HTTPS server, which demands a client certificate of our authority.

    Attributes:
        got: headers, body and client certificate of each request, in order.
        answers: statuses to give, one a request; 204 once they are used up.
    """

    certificate: Path
    key: Path
    trust: Path
    port: int = 0
    got: list[tuple[dict[str, str], bytes, bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                peer = self.connection.getpeercert(binary_form=True)  # type: ignore[attr-defined]
                receiver.got.append((dict(self.headers.items()), body, peer))
                self.send_response(receiver.answers.pop(0) if receiver.answers else 204)
                self.send_header("Content-Length", "0")
                self.send_header("Location", "https://127.0.0.1:1/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing on the terminal."""

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        context.load_verify_locations(self.trust)
        context.verify_mode = ssl.CERT_REQUIRED
        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}/xinqiao/notifications"

    @property
    def fingerprint(self) -> str:
        leaf = x509.load_pem_x509_certificates(self.certificate.read_bytes())[0]
        return leaf.fingerprint(hashes.SHA256()).hex()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Installation]:
    # TLS looks at the real clock.
    made = install(tmp_path / "home", utc_now())
    yield made
    made.close()


@pytest.fixture
def receiver(home: Installation) -> Iterator[Receiver]:
    made = Receiver(*server_certificate(home, "receiver"), pki_files(home.settings).trust)
    made.start()
    yield made
    made.stop()


def server_certificate(home: Installation, name: str) -> tuple[Path, Path]:
    authority = open_authority(pki_files(home.settings).home)
    with home.store.write() as conn:
        issued = issue_server_certificate(conn, authority, ["127.0.0.1"], "test", home.now)
    certificate, key = home.settings.home / f"{name}.pem", home.settings.home / f"{name}.key"
    assert issued.key is not None
    save_key(key, issued.key)
    write_whole(certificate, issued.pem)
    return certificate, key


def register(home: Installation, system: System, receiver: Receiver, **changed: str) -> None:
    said = {"url": receiver.url, "certificate_sha256": receiver.fingerprint, **changed}
    (home.settings.home / "notifications.yml").write_text(yaml.safe_dump({"systems": {system.urn: said}}), "utf-8")


def enrol(home: Installation) -> None:
    result = CliRunner().invoke(verb, ["enrol"], obj=home.settings, catch_exceptions=False)
    assert result.exit_code == 0, result.output


def corrected(home: Installation, *readers: System) -> None:
    """A correction of what these systems have read."""
    client, provider = home.client(), home.system(PROVIDER)
    file = company_list((NAME, ONE))
    ask(client, provider, "POST", f"/v1/sources/{SOURCE}/deliveries", data=file, content_type="text/csv")
    for system in readers:
        read_feed(client, system)
    challenged = challenge(client, reader(home, "challenger"))
    assert decide(client, provider, challenged, "upheld").status_code == 200


def run(home: Installation, after: timedelta = timedelta()) -> dict[str, int]:
    now = home.now + after
    return dispatch(home.store, lambda: now)


def outbox(home: Installation, system: System) -> list[tuple[str, int]]:
    with home.store.read() as conn:
        return [(one["status"], one["attempts"]) for one in list_notifications(conn, system.urn)]


def acts(home: Installation) -> list[str]:
    seal(home.store, home.now)
    with home.store.read() as conn:
        return [entry.action for entry in list_entries(conn, limit=10_000)]


def test_whoever_read_the_old_version_is_called_with_the_new_one_and_others_are_not(
    home: Installation, receiver: Receiver
) -> None:
    system, never = reader(home, "called"), reader(home, "never")
    enrol(home)
    register(home, system, receiver)
    text = (home.settings.home / "notifications.yml").read_text("utf-8")
    (home.settings.home / "notifications.yml").write_text(
        text + text.replace("systems:\n", "").replace("called", "never"), "utf-8"
    )
    corrected(home, system)

    counts = run(home)

    ((headers, body, peer),) = receiver.got
    said = json.loads(body)
    assert counts == {"delivered": 1, "failed": 0, "given_up": 0}
    assert (said["kind"], said["version"]["record"]["name"], said["version"]["seq"]) == ("record.corrected", RIGHT, 2)
    assert headers["Xinqiao-Notification"] == said["id"]
    ours = x509.load_pem_x509_certificates((home.settings.home / "pki" / "notifier.pem").read_bytes())[0]
    assert x509.load_der_x509_certificate(peer) == ours
    assert (outbox(home, system), outbox(home, never)) == ([("delivered", 1)], [])
    assert kinds(home.client(), system) == []
    assert acts(home)[-2:] == ["record.pushed", "notification.delivered"]


def test_who_is_suspended_is_told_nothing_until_it_is_resumed(home: Installation, receiver: Receiver) -> None:
    system = reader(home, "called")
    enrol(home)
    register(home, system, receiver)
    corrected(home, system)
    with home.store.write() as conn:
        suspend_holder(conn, system.urn, "test", home.now)

    suspended = run(home)
    got = list(receiver.got)
    with home.store.write() as conn:
        resume_holder(conn, system.urn, "test", home.now)
    resumed = run(home)

    assert (suspended["delivered"], got, resumed["delivered"]) == (0, [], 1)
    assert outbox(home, system) == [("delivered", 1)]


def test_the_body_is_signed_by_the_certificate_that_calls(home: Installation, receiver: Receiver) -> None:
    system = reader(home, "called")
    enrol(home)
    register(home, system, receiver)
    corrected(home, system)
    run(home)
    ((headers, body, peer),) = receiver.got
    leaf = x509.load_der_x509_certificate(peer)

    def find(hint: KeyHint) -> Signer:
        assert hint.ids == (serial_text(leaf.serial_number),)
        return Signer(key_of(leaf), hint.ids[0], "urn:xinqiao:gateway:notifier", "gateway")

    request = Request("POST", receiver.url, Fields(tuple(headers.items())))
    verified = verify(request, find, home.now, timedelta(minutes=5))
    check_digest(request.headers, lambda name: hashlib.sha256(body).digest())

    assert "content-digest" in verified.covered


def test_a_receiver_that_is_down_and_comes_back_gets_it_later_with_the_same_id(
    home: Installation, receiver: Receiver
) -> None:
    system = reader(home, "called")
    enrol(home)
    register(home, system, receiver)
    corrected(home, system)
    receiver.stop()

    down = run(home)
    too_early = run(home, timedelta(seconds=10))
    waiting = outbox(home, system)
    receiver.start()
    receiver.answers = [503]
    busy = run(home, timedelta(seconds=31))
    back = run(home, timedelta(minutes=3))

    assert [one["delivered"] for one in (down, too_early, busy, back)] == [0, 0, 0, 1]
    assert [one["failed"] for one in (down, too_early, busy, back)] == [1, 0, 1, 0]
    assert (waiting, outbox(home, system)) == ([("waiting", 1)], [("delivered", 3)])
    assert len({headers["Xinqiao-Notification"] for headers, _, _ in receiver.got}) == 1


def test_after_so_many_attempts_it_is_given_up_and_stays_in_the_mailbox(home: Installation, receiver: Receiver) -> None:
    system = reader(home, "called")
    enrol(home)
    register(home, system, receiver)
    corrected(home, system)
    receiver.answers = [500] * MAX_ATTEMPTS
    waited = timedelta()
    outcomes = []
    for attempt in range(1, MAX_ATTEMPTS + 2):
        outcomes.append(run(home, waited))
        waited += wait_after(attempt)

    assert [one["failed"] for one in outcomes] == [1] * (MAX_ATTEMPTS - 1) + [0, 0]
    assert [one["given_up"] for one in outcomes] == [0] * (MAX_ATTEMPTS - 1) + [1, 0]
    assert kinds(home.client(), system) == ["record.corrected"]
    assert acts(home).count("notification.given_up") == 1


def test_another_certificate_gets_not_a_byte(home: Installation, receiver: Receiver) -> None:
    system = reader(home, "called")
    enrol(home)
    other = Receiver(*server_certificate(home, "other"), receiver.trust)
    register(home, system, receiver, certificate_sha256=other.fingerprint)
    corrected(home, system)

    counts = run(home)

    assert (counts["failed"], receiver.got) == (1, [])


def test_a_certificate_of_an_authority_that_is_not_believed_gets_not_a_byte(
    home: Installation, receiver: Receiver, tmp_path: Path, now: datetime
) -> None:
    foreign = install(tmp_path / "foreign", utc_now())
    stranger = Receiver(*server_certificate(foreign, "receiver"), receiver.trust)
    foreign.close()
    stranger.start()
    system = reader(home, "called")
    enrol(home)
    register(home, system, stranger)
    corrected(home, system)

    untrusted = run(home)
    register(home, system, stranger, ca=str(pki_files(foreign.settings).trust))
    trusted = run(home, timedelta(minutes=1))
    stranger.stop()

    assert (untrusted["failed"], trusted["delivered"], len(stranger.got)) == (1, 1, 1)


def test_a_redirection_is_not_followed(home: Installation, receiver: Receiver) -> None:
    system = reader(home, "called")
    enrol(home)
    register(home, system, receiver)
    corrected(home, system)
    receiver.answers = [307]

    assert (run(home)["failed"], len(receiver.got)) == (1, 1)


def test_one_that_fails_is_left_alone_for_the_run_and_does_not_hold_up_others(
    home: Installation, receiver: Receiver
) -> None:
    called, broken = reader(home, "called"), reader(home, "broken")
    enrol(home)
    register(home, called, receiver)
    text = (home.settings.home / "notifications.yml").read_text("utf-8")
    more = text.replace("systems:\n", "").replace("called", "broken").replace(str(receiver.port), "1")
    (home.settings.home / "notifications.yml").write_text(text + more, "utf-8")
    corrected(home, called, broken)
    decide(home.client(), home.system(PROVIDER), challenge(home.client(), broken, seq=2, believed=NAME), "rejected")

    assert run(home) == {"delivered": 1, "failed": 1, "given_up": 0}
    assert outbox(home, broken) == [("waiting", 0), ("waiting", 1)]


def test_two_dispatchers_at_once_push_once(
    home: Installation, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = reader(home, "called")
    enrol(home)
    register(home, system, receiver)
    corrected(home, system)
    real = dispatching.push

    def push_while_another_runs(*arguments: Any) -> None:
        monkeypatch.setattr(dispatching, "push", real)
        assert run(home) == {"delivered": 0, "failed": 0, "given_up": 0}
        real(*arguments)

    monkeypatch.setattr(dispatching, "push", push_while_another_runs)

    assert (run(home)["delivered"], len(receiver.got)) == (1, 1)


def test_a_push_that_was_cut_off_is_made_again(
    home: Installation, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = reader(home, "called")
    enrol(home)
    register(home, system, receiver)
    corrected(home, system)
    with monkeypatch.context() as patched:
        patched.setattr(dispatching, "push", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run(home)

    assert run(home, timedelta(minutes=1))["delivered"] == 0
    assert run(home, timedelta(minutes=6))["delivered"] == 1


def test_without_a_certificate_to_push_with_the_next_step_is_named(home: Installation, receiver: Receiver) -> None:
    system = reader(home, "called")
    register(home, system, receiver)
    corrected(home, system)

    with pytest.raises(Refused, match="notifications enrol"):
        run(home)
    assert outbox(home, system) == [("waiting", 0)]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("endpoints: {}", "systems"),
        ("systems: {urn:xinqiao:person:li: {url: 'https://x', certificate_sha256: " + "0" * 64 + "}}", "URN"),
        ("systems: {'urn:xinqiao:health:x': {url: 'https://x'}}", "certificate_sha256"),
        ("systems: {'urn:xinqiao:health:x': {url: 'http://x', certificate_sha256: '" + "0" * 64 + "'}}", "https"),
        ("systems: {'urn:xinqiao:health:x': {url: 'https://x', certificate_sha256: 'ab'}}", "64 hex"),
        ("systems: {'urn:xinqiao:health:x': {url: 'https://x', certificate_sha256: 'ab', proxy: 'y'}}", "takes url"),
    ],
)
def test_a_wrong_file_of_endpoints_is_refused_by_name(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "notifications.yml").write_text(text, "utf-8")

    with pytest.raises(Refused, match=named):
        load_endpoints(tmp_path)


def test_the_verbs_show_and_push(home: Installation, receiver: Receiver) -> None:
    system = reader(home, "called")
    enrol(home)
    register(home, system, receiver)
    corrected(home, system)

    def shown(*arguments: str) -> list[dict[str, Any]]:
        result = CliRunner().invoke(verb, [*arguments, "--json"], obj=home.settings, catch_exceptions=False)
        return [json.loads(line) for line in result.stdout.splitlines()]

    assert [one["system"] for one in shown("endpoints")] == [system.urn]
    assert shown("dispatch") == [{"delivered": 1, "failed": 0, "given_up": 0, "overdue": 0}]
    assert [one["status"] for one in shown("list", "--system", system.urn)] == ["delivered"]
