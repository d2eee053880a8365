"""Fixtures that every test may use."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

pytest_plugins = ["tests.golden_plugin"]

NOW = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
"""The date at which the tests happen, unless one says otherwise."""


@pytest.fixture
def now() -> datetime:
    return NOW
