"""What is said of a task that failed: our own words, and of an unforeseen error nothing it quotes."""

from __future__ import annotations

import pytest

from connectors.errors import Refused, Unavailable
from tests.dags.installation import Installation


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Refused("不接受", "not accepted"), "[refused] "),
        (ValueError("cannot parse 张三丰 13800001234"), "[internal] ValueError"),
    ],
)
def test_an_unforeseen_error_is_named_and_not_quoted(installation: Installation, error: Exception, said: str) -> None:
    # Airflow is imported when its settings have been made, which the fixture does.
    from airflow.sdk.exceptions import AirflowFailException

    from dags.failures import failing_for_good

    with pytest.raises(AirflowFailException) as failed, failing_for_good():
        raise error

    assert str(failed.value).startswith(said)
    assert "张三丰" not in str(failed.value)
    assert failed.value.__cause__ is error


def test_what_may_pass_by_itself_is_left_to_be_retried(installation: Installation) -> None:
    from dags.failures import failing_for_good

    with pytest.raises(Unavailable), failing_for_good():
        raise Unavailable("稍后", "later")
