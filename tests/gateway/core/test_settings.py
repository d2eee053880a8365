"""Settings, instants: small things that everything stands on."""

from __future__ import annotations

import doctest
import stat
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import SQLAlchemyError

from gateway import clock
from gateway.clock import instant, parse_instant
from gateway.home import initialise
from gateway.settings import Settings
from gateway.store import open_store


def settings_of(home: Path, file: str = "", **environ: str) -> Settings:
    if file:
        (home / "xinqiao.toml").write_text(file, "utf-8")
    return Settings.load({"XINQIAO_HOME": str(home), **environ})


def test_without_file_and_environment_everything_is_as_written_in_the_class(tmp_path: Path) -> None:
    assert settings_of(tmp_path) == Settings(home=tmp_path)


def test_the_environment_comes_before_the_file_and_the_file_before_the_default(tmp_path: Path) -> None:
    file = 'port = 9000\nworkers = 3\nlog_origin = "example.cn/log"\n'

    settings = settings_of(tmp_path, file, XINQIAO_PORT="9443", XINQIAO_HOST="::1", OTHER_PORT="1")

    assert settings == Settings(home=tmp_path, port=9443, workers=3, log_origin="example.cn/log", host="::1")


def test_a_setting_that_does_not_exist_is_named_with_those_that_do(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"xinqiao\.toml: unknown settings \['prot'\]; known: .*'port'"):
        settings_of(tmp_path, "prot = 9000\n")


def test_the_home_cannot_be_moved_by_the_file_that_lies_in_it(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"unknown settings \['home'\]"):
        settings_of(tmp_path, 'home = "/elsewhere"\n')


def test_a_suite_that_does_not_exist_is_refused_when_the_settings_are_read(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected one of international, guomi, got 'sm2'"):
        settings_of(tmp_path, XINQIAO_SUITE="sm2")
    with pytest.raises(ValueError, match="got 'rsa'"):
        settings_of(tmp_path, XINQIAO_ACCEPTED_SUITES="guomi,rsa")


def test_only_the_own_suite_is_accepted_unless_more_are_named(tmp_path: Path) -> None:
    assert settings_of(tmp_path, XINQIAO_SUITE="guomi").accepted_algorithms == {"sm2-sm3"}
    both = settings_of(tmp_path, XINQIAO_SUITE="guomi", XINQIAO_ACCEPTED_SUITES="guomi, international")
    assert both.accepted_algorithms == {"sm2-sm3", "ecdsa-p256-sha256", "ed25519"}


@pytest.mark.parametrize("value", ["eight", "8.5", "", "0x10"])
def test_a_number_that_is_none_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(ValueError, match=f"setting port: expected a whole number, got '{value}'"):
        settings_of(tmp_path, XINQIAO_PORT=value)


@pytest.mark.parametrize("file", ['port = "many"', "port = 8.5", "port = true", "port = [1]"])
def test_a_number_in_the_file_that_is_none_is_refused(tmp_path: Path, file: str) -> None:
    with pytest.raises(ValueError, match="setting port: expected a whole number"):
        settings_of(tmp_path, file)


def test_the_database_lies_in_the_home_unless_another_is_named(tmp_path: Path) -> None:
    named = settings_of(tmp_path, XINQIAO_DATABASE_URL="postgresql+psycopg://db/x")

    assert Settings(home=tmp_path).store_url == f"sqlite:///{tmp_path}/xinqiao.db"
    assert named.store_url == "postgresql+psycopg://db/x"


def test_the_examples_of_the_clock_are_true() -> None:
    assert doctest.testmod(clock).failed == 0


@given(st.datetimes(timezones=st.timezones()), st.datetimes(timezones=st.timezones()))
def test_instants_are_ordered_as_texts_and_read_back(one: datetime, other: datetime) -> None:
    one, other = (max(at, datetime(1000, 1, 2, tzinfo=UTC)).astimezone(UTC) for at in (one, other))

    assert (instant(one) < instant(other)) == (one < other)
    assert parse_instant(instant(one)) == one


@pytest.mark.parametrize("text", ["2026-01-02T03:04:05", "2026-01-02", "yesterday", ""])
def test_a_text_that_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="instant needs a time zone|Invalid isoformat"):
        parse_instant(text)


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="an instant needs a time zone"):
        instant(datetime(2026, 1, 2))  # what is tested


def test_local_times_are_written_in_utc() -> None:
    at = datetime(2026, 1, 2, 8, 30, tzinfo=timezone(timedelta(hours=8)))

    assert instant(at) == "2026-01-02T00:30:00.000000Z"


def test_an_error_of_the_database_does_not_quote_rows(tmp_path: Path) -> None:
    store = open_store(Settings(home=tmp_path))

    with pytest.raises(SQLAlchemyError) as failed, store.write() as conn:
        conn.execute(sa.text("INSERT INTO missing VALUES (:name)"), {"name": "张三丰"})

    store.close()
    assert "张三丰" not in str(failed.value)


def test_a_home_that_was_there_before_is_closed_to_other_users(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o755)

    initialise(Settings(home=home), datetime(2026, 11, 21, 2, 0, tzinfo=UTC))

    assert stat.S_IMODE(home.stat().st_mode) == 0o750
