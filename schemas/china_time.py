"""The one offset of China's wall clocks."""

from __future__ import annotations

from datetime import timedelta, timezone

CHINA = timezone(timedelta(hours=8))
"""Agencies' local times and the days on which something is due: Asia/Shanghai, without summer time since 1991.

Moments that may be older are read with the summer times of 1986 to 1991, see ``schemas.fields.dates``.
"""
