"""A consumer of the gateway: an ordinary HTTPS client with a certificate."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from connectors.errors import Refused
from gateway.client import client as https_client
from gateway.demo.stage import PURPOSE, Client


class Consumer:
    """Reads entities and feeds over one kept-open mutual TLS connection."""

    def __init__(self, url: str, ca: Path, client: Client) -> None:
        self._https = https_client(url, ca, client.certificate, client.key)
        self._https.headers["Xinqiao-Purpose"] = quote(PURPOSE)

    def entity(self, uscc: str) -> dict[str, Any]:
        """The joined picture of one entity.

        Raises:
            Refused: the gateway says no; with its reason.
        """
        answer = self._https.get(f"/v1/entities/{uscc}")
        if answer.is_error:
            problem = answer.json()
            raise Refused(problem["zh"], problem["en"], **problem)
        picture: dict[str, Any] = answer.json()
        return picture

    def feed(self, record_type: str, after: int, limit: int) -> tuple[list[dict[str, Any]], int]:
        """Versions after a position, and the position to continue from."""
        answer = self._https.get(f"/v1/feeds/{record_type}", params={"after": after, "limit": limit})
        answer.raise_for_status()
        lines = [json.loads(line) for line in answer.text.splitlines()]
        return lines, int(answer.headers["Xinqiao-Next"])

    def refusal(self, path: str, **query: str) -> dict[str, Any]:
        """The problem document of a read that must be refused.

        Raises:
            AssertionError: it was answered.
        """
        answer = self._https.get(path, params=query)
        if not answer.is_error:
            raise AssertionError(f"{path} was answered although it must be refused: {answer.status_code}")
        problem: dict[str, Any] = answer.json()
        return problem

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._https.close()
