"""Whatever a believed authority signs, however it came to do so: refused with a reason, or believed for what it is."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from cryptography.utils import CryptographyDeprecationWarning
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.target import Made
from tests.fuzz.targets import TARGETS

NAMES = ("certificates", "signed-certificates", "signed-authorities", "proxy-headers", "revocation-lists", "ocsp")
LENIENT = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def targets() -> Iterator[dict[str, Made]]:
    with ExitStack() as stack, warnings.catch_warnings():
        # Odd serial numbers are announced by the library, and refused by us.
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        yield {name: stack.enter_context(TARGETS[name].open()) for name in NAMES}


Edit = tuple[float, int, bytes]
"""Where, as a share of the length; how many bytes go; what stands there instead."""

edits = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 6), st.binary(max_size=6)), min_size=1, max_size=4
)  # fmt: skip


def edited(seed: bytes, changes: list[Edit]) -> bytes:
    for share, gone, put in changes:
        place = int(share * len(seed))
        seed = seed[:place] + put + seed[place + gone :]
    return seed


def aimed(target: str) -> Callable[[dict[str, Made]], None]:
    @LENIENT
    @given(changes=edits)
    @pytest.mark.filterwarnings("ignore:Parsed a serial number which wasn't positive")
    def test(targets: dict[str, Made], changes: list[Edit]) -> None:
        for seed in targets[target].seeds:
            targets[target].run(edited(seed, changes))

    return test


test_a_certificate = aimed("certificates")
test_a_certificate_that_our_authority_signed = aimed("signed-certificates")
test_an_authority_that_our_root_signed = aimed("signed-authorities")
test_a_header_of_the_proxy = aimed("proxy-headers")
test_a_revocation_list = aimed("revocation-lists")
test_an_ocsp_question_and_answer = aimed("ocsp")
