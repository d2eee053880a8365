"""A REST agency that makes its pages while it is asked for them: no answer of millions of rows is ever kept."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import polars as pl

_NUMBER = "@page@"


@contextmanager
def serving_pages(block: pl.DataFrame, rows: int) -> Iterator[str]:
    """Serve the rows of ``block`` again and again, a page each time, until ``rows`` have been served.

    Every page says its number in the address of each row, so no page repeats another.

    Yields:
        the address.
    """
    told = block.with_columns(pl.concat_str("address", pl.lit(_NUMBER)).alias("address")).to_dicts()
    lines = [json.dumps(row, ensure_ascii=False) for row in told]

    class Pages(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Without this the second packet of an answer waits for the acknowledgement of the first.
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            number = int(parse_qs(urlsplit(self.path).query)["page"][0])
            left = max(0, min(len(lines), rows - (number - 1) * len(lines)))
            listed = ",".join(lines[:left]).replace(_NUMBER, str(number))
            body = f'{{"total": {rows}, "rows": [{listed}]}}'.encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Thousands of requests are no news."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
