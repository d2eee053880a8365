"""The ``--regolden`` option: write the expected files of the golden tests anew, on purpose."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--regolden", action="store_true", help="rewrite the expected golden files; then read the diff")
