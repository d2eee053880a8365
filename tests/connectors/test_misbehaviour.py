"""Agencies that misbehave, over real TLS: each mishap is named by what happens next, and nothing is delivered."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests
import yaml

from connectors.connections import Connections
from connectors.errors import Refused, SourceChanged, Unavailable, XinqiaoError
from connectors.mapping import map_sheet
from connectors.receive import receive
from connectors.registry import source
from connectors.request_options import RestRequest, SoapRequest
from connectors.sandbox.serve import Sandbox, start
from connectors.spec import SourceSpec
from connectors.transports.trouble import connection_trouble
from connectors.vault import Vault
from tests.connectors.support import NOW, decode

SOAP, REST, TABLES = "market_supervision/registration", "agriculture/trace_events", "health/licences"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    running = start(tmp_path_factory.mktemp("sandbox"), 7, 60)
    (running.home / "connections.yml").write_text(yaml.safe_dump(running.connections(), allow_unicode=True), "utf-8")
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def behave_again(sandbox: Sandbox) -> Iterator[None]:
    yield
    for name in (SOAP, REST, TABLES):
        sandbox.misbehave(str(source(name).endpoint), None)


def impatient(name: str) -> SourceSpec:
    """The source, asked in small pages and not waited for long."""
    spec = source(name)
    if isinstance(spec.request, SoapRequest | RestRequest):
        paging = replace(spec.request.paging, per_page=20)
        return replace(spec, request=replace(spec.request, timeout_seconds=0.7, paging=paging))
    return spec


def pull(sandbox: Sandbox, spec: SourceSpec, connections: Connections | None = None) -> int:
    connections = connections or Connections.load(sandbox.home)
    deliveries = list(receive(spec, connections, Vault(sandbox.home), None, NOW))
    return sum(map_sheet(decode(delivery, spec), spec).frame.height for delivery in deliveries)


@pytest.mark.parametrize(
    ("name", "how", "error", "said"),
    [
        (SOAP, "timeout", Unavailable, "ReadTimeout"),
        (SOAP, "truncated", Unavailable, "broke off its answer"),
        (SOAP, "error_500", Unavailable, "status 500|SOAP fault Server"),
        (SOAP, "renamed_column", SourceChanged, "missing entname; unexpected enterprisename"),
        (SOAP, "expired_certificate", Refused, "certificate has expired"),
        (SOAP, "duplicate_page", Unavailable, "page 2 repeats page 1"),
        (REST, "timeout", Unavailable, "ReadTimeout"),
        (REST, "truncated", Unavailable, "broke off its answer"),
        (REST, "error_500", Unavailable, "status 500"),
        (REST, "renamed_column", SourceChanged, r"missing actor\.name"),
        (REST, "expired_certificate", Refused, "certificate has expired"),
        (REST, "duplicate_page", Unavailable, "page 2 repeats page 1"),
        (TABLES, "truncated", Unavailable, "the database is not available"),
        (TABLES, "error_500", Unavailable, "the database is not available"),
        (TABLES, "renamed_column", SourceChanged, "missing XK_XDR"),
    ],
)
def test_a_mishap_is_named_by_what_happens_next(
    sandbox: Sandbox, name: str, how: str, error: type[XinqiaoError], said: str
) -> None:
    spec = impatient(name)
    sandbox.misbehave(str(spec.endpoint), how)

    with pytest.raises(error, match=said) as found:
        pull(sandbox, spec)

    assert spec.source in found.value.zh
    assert spec.source in found.value.en


@pytest.mark.parametrize("name", [SOAP, REST, TABLES])
def test_afterwards_the_same_request_succeeds(sandbox: Sandbox, name: str) -> None:
    assert pull(sandbox, impatient(name)) > 10


@pytest.mark.parametrize("name", [SOAP, REST])
def test_a_server_of_an_unknown_authority_is_refused(sandbox: Sandbox, name: str) -> None:
    spec = impatient(name)
    endpoint = Connections.load(sandbox.home).of(spec.endpoint)
    trusting_others = Connections({str(spec.endpoint): replace(endpoint, ca=None)})

    with pytest.raises(Refused, match="the server's certificate is not trusted"):
        pull(sandbox, spec, trusting_others)


@pytest.mark.parametrize("name", [SOAP, REST])
def test_without_our_certificate_the_server_refuses_us(sandbox: Sandbox, name: str) -> None:
    spec = impatient(name)
    endpoint = Connections.load(sandbox.home).of(spec.endpoint)
    nameless = Connections({str(spec.endpoint): replace(endpoint, certificate=None, key=None)})

    # TLS 1.3 tells the client after the handshake; if the connection is reset first, its alert is lost.
    with pytest.raises(XinqiaoError, match="the server refused our certificate|broke off its answer"):
        pull(sandbox, spec, nameless)


@pytest.mark.parametrize(
    ("reason", "error"),
    [
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", Refused),
        ("TLSV1_ALERT_UNKNOWN_CA", Refused),
        ("SSLV3_ALERT_CERTIFICATE_REVOKED", Refused),
        ("UNEXPECTED_EOF_WHILE_READING", Unavailable),
        (None, Unavailable),
    ],
)
def test_an_alert_about_our_certificate_needs_a_person_and_a_broken_line_needs_time(
    reason: str | None, error: type[XinqiaoError]
) -> None:
    cause = ssl.SSLError(1, "broken")
    cause.reason = reason  # type: ignore[assignment]  # OpenSSL leaves it empty for some errors

    found = connection_trouble("a/b endpoint", requests.exceptions.SSLError(OSError(cause)))

    assert isinstance(found, error)


def test_a_client_fault_needs_a_person(sandbox: Sandbox) -> None:
    spec = impatient(SOAP)
    assert isinstance(spec.request, SoapRequest)
    asked = replace(spec, request=replace(spec.request, arguments={"since": "2024-13-45 00:00:00"}))

    with pytest.raises(Refused, match="SOAP fault Client"):
        pull(sandbox, asked)


def test_an_operation_or_argument_that_the_wsdl_lacks_needs_a_person(sandbox: Sandbox) -> None:
    spec = impatient(SOAP)
    assert isinstance(spec.request, SoapRequest)

    with pytest.raises(Refused, match="has no operation Nothing"):
        pull(sandbox, replace(spec, request=replace(spec.request, operation="Nothing")))
    with pytest.raises(Refused, match="do not fit the WSDL"):
        pull(sandbox, replace(spec, request=replace(spec.request, arguments={"nothing": "1"})))


def test_a_wsdl_may_only_name_schemas_of_the_endpoint_or_the_folder(sandbox: Sandbox, tmp_path: Path) -> None:
    spec = impatient(SOAP)
    assert isinstance(spec.request, SoapRequest)
    (tmp_path / "secret.xsd").write_text("<x/>")
    folder = tmp_path / "agency" / "source"
    folder.mkdir(parents=True)
    wsdl = (Path(__file__).parents[2] / "connectors/sandbox/wsdl/registration.wsdl").read_text("utf-8")
    for location in (str(tmp_path / "secret.xsd"), "http://127.0.0.1:1/evil.xsd"):
        (folder / "own.wsdl").write_text(wsdl.replace("registration.xsd", location), "utf-8")

        with pytest.raises(Refused, match="_FarAwayError"):
            pull(sandbox, replace(spec, folder=folder, request=replace(spec.request, wsdl="own.wsdl")))
