"""What is said of a task that failed: our own words, and of an unforeseen error nothing it quotes."""

from __future__ import annotations

import pytest
from airflow.sdk.exceptions import AirflowFailException

from connectors.errors import Refused, Unavailable
from dags.failures import failing_for_good


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Refused("不接受", "not accepted"), "[refused] "),
        (ValueError("cannot parse 张三丰 13800001234"), "[internal] ValueError"),
    ],
)
def test_an_unforeseen_error_is_named_and_not_quoted(error: Exception, said: str) -> None:
    with pytest.raises(AirflowFailException) as failed, failing_for_good():
        raise error

    assert str(failed.value).startswith(said)
    assert "张三丰" not in str(failed.value)
    assert failed.value.__cause__ is error


def test_what_may_pass_by_itself_is_left_to_be_retried() -> None:
    with pytest.raises(Unavailable), failing_for_good():
        raise Unavailable("稍后", "later")
