"""Paths, headers and bodies of HTTP requests, and SOAP envelopes, from a system with a good certificate."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lxml import etree
from werkzeug.test import EnvironBuilder, run_wsgi_app

from gateway.soap.contract import make
from gateway.soap.envelope import SOAP11, SOAP12, write
from tests.conftest import NOW
from tests.fuzz.target import Finding, Made, Target
from tests.gateway.api.installation import CHAIN, ONE, PURPOSE, SOURCE, TWO, Installation, ask, company_list, install

_MODULES = ("gateway.api", "gateway.soap", "gateway.access", "connectors.decode")
_SYSTEM = "urn:xinqiao:market_supervision:register"
_METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")
_HEADERS = (
    "Xinqiao-Purpose",
    "Accept",
    "Accept-Encoding",
    "Content-Type",
    "Content-Digest",
    "Signature",
    "Signature-Input",
    "X-Client-Certificate",
    "Client-Cert",
    "Content-Disposition",
    "If-None-Match",
    "Range",
)


@contextmanager
def _installation() -> Iterator[Installation]:
    with tempfile.TemporaryDirectory(prefix="xinqiao-fuzz-") as folder:
        home = install(Path(folder), NOW)
        system = home.system(_SYSTEM)
        home.grant(_SYSTEM)
        address = f"/v1/sources/{SOURCE}/deliveries"
        landed = ask(home.client(), system, "POST", address, data=company_list(("华信", ONE)), content_type="text/csv")
        assert landed.status_code == 201
        yield home
        home.close()


@contextmanager
def _requests() -> Iterator[Made]:
    """One request a try: method, path, one header and its value, body; parted by line feeds."""
    with _installation() as home:
        client, system = home.client(), home.system(_SYSTEM)

        def run(data: bytes) -> None:
            method, path, header, value, body = (data.split(b"\n", 4) + [b""] * 5)[:5]
            builder = EnvironBuilder(method=_METHODS[len(method) % len(_METHODS)], data=body)
            environ = builder.get_environ()
            raw, _, query = path.partition(b"?")
            # As a server hands them on: bytes as Latin-1 (PEP 3333).
            environ["PATH_INFO"] = "/" + raw.decode("latin-1").lstrip("/")
            environ["QUERY_STRING"] = query.decode("latin-1")
            name = _HEADERS[len(header) % len(_HEADERS)].upper().replace("-", "_")
            key = name if name == "CONTENT_TYPE" else f"HTTP_{name}"
            environ[key] = value.decode("latin-1").replace("\r", "")
            environ.setdefault("HTTP_XINQIAO_PURPOSE", PURPOSE)
            environ[CHAIN] = system.chain
            # Not by the test client, which would make the request anew and tidy it.
            answer, status, _ = run_wsgi_app(client.application, environ, buffered=True)
            said = b"".join(answer)
            if int(status[:3]) >= 500:
                raise Finding(f"{status} {said.decode('utf-8', 'replace')[:300]}")

        yield Made(run, [path.encode() for path in _PATHS])


_PATHS = (
    f"\nv1/entities/{ONE}?as_of=2026-11-21T02:00:00Z\n\n{PURPOSE}\n",
    f"\nv1/records/registration?uscc={TWO}\n\n{PURPOSE}\n",
    f"\nv1/feeds/registration?after=0&limit=10&wait=0\n\n{PURPOSE}\n",
    "\nv1/catalogue\n\n\n",
    "\nv1/deliveries?limit=5\n\n\n",
    "\nv1/receipts/x\n\n\n",
    f"P\nv1/sources/{SOURCE}/deliveries\nabc\ntext/csv\n{company_list(('华信', TWO)).decode('utf-8-sig')}",
    'P\nv1/applications\nabc\napplication/json\n{"record_type": "registration", "purpose": "x"}',
    'P\nv1/challenges\nabc\napplication/json\n{"record_type": "registration", "seq": 1, "field": "name"}',
    'P\nv1/certificates\nabc\napplication/json\n{"csr": "-----BEGIN CERTIFICATE REQUEST-----"}',
    "\naudit/tile/0/000\n\n\n",
    "\naudit/tile/entries/000.p/3\n\n\n",
    "\nsoap?wsdl\n\n\n",
    "P\npki/ocsp\nabc\napplication/ocsp-request\n0",
    "\nmetrics\n\n\n",
)


@contextmanager
def _envelopes() -> Iterator[Made]:
    with _installation() as home:
        client, system = home.client(), home.system(_SYSTEM)

        def run(data: bytes) -> None:
            version = SOAP12 if len(data) % 2 else SOAP11
            answer = ask(
                client, system, "POST", "/soap", data=data, content_type=f"{version.media_type}; charset=utf-8"
            )
            body = answer.get_data()
            if answer.mimetype == version.media_type:
                # A SOAP 1.1 fault is a 500 whoever caused it; the fault says whose it was.
                etree.fromstring(body)
                if b":Server<" in body or b":Receiver<" in body:
                    raise Finding(body.decode()[:500])
            elif answer.status_code >= 500:
                raise Finding(f"{answer.status_code} {answer.get_data(as_text=True)[:300]}")

        entity = make("entity", make("uscc", ONE), make("purpose", PURPOSE))
        feed = make("feed", make("recordType", "registration"), make("after", "0"), make("purpose", PURPOSE))
        yield Made(run, [write(version, part) for version in (SOAP11, SOAP12) for part in (entity, feed)])


TARGETS = (
    Target("requests", _MODULES, _requests),
    Target("envelopes", _MODULES, _envelopes),
)
