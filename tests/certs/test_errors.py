"""Every error of certificates descends from one root, with a code of its own and both languages."""

from __future__ import annotations

import inspect

from certs import errors


def test_every_error_descends_from_the_root_and_has_its_own_code() -> None:
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]

    assert all(issubclass(kind, errors.CertsError) for kind in kinds)
    assert len({kind.code for kind in kinds}) == len(kinds)


def test_an_error_says_it_in_both_languages() -> None:
    error = errors.NotActive("urn:xinqiao:customs:h2018", "suspended")

    assert str(error) == (
        "urn:xinqiao:customs:h2018 当前状态为 suspended，不能访问；请联系网关安全管理员。 / "
        "urn:xinqiao:customs:h2018 is suspended and may not enter; ask the gateway's security administrator"
    )
