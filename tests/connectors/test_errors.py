"""Errors between processes."""

from __future__ import annotations

import pickle

from connectors.errors import SignatureRefused, Undecodable, XinqiaoError


def test_an_error_is_the_same_in_another_process() -> None:
    told = Undecodable("第3行有误", "line 3 is wrong", part="a.csv", line=3, expected=["x"])
    signature = SignatureRefused("过期", "too old", code="signature_stale", age=7)

    for error in (told, signature):
        again = pickle.loads(pickle.dumps(error))

        assert type(again) is type(error)
        assert (str(again), vars(again)) == (str(error), vars(error))


def _all(root: type[Exception]) -> set[type[Exception]]:
    return {root}.union(*(_all(kind) for kind in root.__subclasses__()))


def test_so_is_every_kind_of_error() -> None:
    for kind in _all(XinqiaoError):
        # Some are made of other words than the two sentences; what all of them carry is told here.
        error = kind.__new__(kind)
        XinqiaoError.__init__(error, "坏了", "broken", part="a.csv")

        again = pickle.loads(pickle.dumps(error))

        assert (type(again), str(again), vars(again)) == (kind, str(error), vars(error))
