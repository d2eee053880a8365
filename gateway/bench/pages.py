"""Agencies that make their pages while they are asked for them: no answer of millions of rows is ever kept."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import polars as pl

from connectors.decode.xml_safe import local, parse_xml

_NUMBER = "@page@"
_WSDL = Path(__file__).with_name("pages.wsdl")


@contextmanager
def serving_pages(block: pl.DataFrame, rows: int) -> Iterator[str]:
    """Serve the rows of ``block`` over REST again and again, a page each time, until ``rows`` have been served.

    Every page says its number in the address of each row, so no page repeats another.

    Yields:
        the address.
    """
    lines = [json.dumps(row, ensure_ascii=False) for row in _numbered(block)]

    class Pages(_Quiet):
        def do_GET(self) -> None:
            number = int(parse_qs(urlsplit(self.path).query)["page"][0])
            listed = ",".join(_page(lines, rows, number))
            self.answer("application/json", f'{{"total": {rows}, "rows": [{listed}]}}')

    with _serving(Pages) as address:
        yield address


@contextmanager
def serving_soap(block: pl.DataFrame, rows: int) -> Iterator[str]:
    """The same over SOAP 1.1, by the contract ``pages.wsdl``, which is served at ``?wsdl``.

    Yields:
        the address.
    """
    lines = [f"<row>{''.join(_element(*cell) for cell in row.items())}</row>" for row in _numbered(block)]

    class Pages(_Quiet):
        def do_GET(self) -> None:
            self.answer("text/xml", _WSDL.read_text("utf-8"))

        def do_POST(self) -> None:
            asked = parse_xml("request", self.rfile.read(int(self.headers["Content-Length"])))
            number = next(int(element.text or "") for element in asked.iter() if local(element) == "page")
            listed = "".join(_page(lines, rows, number))
            self.answer(
                "text/xml",
                '<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body>'
                f'<rowsResponse xmlns="urn:xinqiao:bench:pages"><total>{rows}</total>{listed}</rowsResponse>'
                "</Body></Envelope>",
            )

    with _serving(Pages) as address:
        yield address


def _numbered(block: pl.DataFrame) -> list[dict[str, str | None]]:
    return block.with_columns(pl.concat_str("address", pl.lit(_NUMBER)).alias("address")).to_dicts()


def _element(name: str, value: str | None) -> str:
    return f"<{name}>{escape(value or '')}</{name}>"


def _page(lines: list[str], rows: int, number: int) -> Iterator[str]:
    left = max(0, min(len(lines), rows - (number - 1) * len(lines)))
    return (line.replace(_NUMBER, str(number)) for line in lines[:left])


class _Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Without this the second packet of an answer waits for the acknowledgement of the first.
    disable_nagle_algorithm = True

    def answer(self, media_type: str, text: str) -> None:
        """Send a page."""
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", f"{media_type}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Thousands of requests are no news."""


@contextmanager
def _serving(handler: Callable[..., BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
