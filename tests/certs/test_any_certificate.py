"""Whatever a believed authority signs, however it came to do so: refused with a reason, or believed for what it is."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from random import Random

import pytest
from cryptography.utils import CryptographyDeprecationWarning
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.structure import spoil
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


def aimed(target: str) -> Callable[[dict[str, Made], Random, int], None]:
    @LENIENT
    @given(random=st.randoms(use_true_random=False), changes=st.integers(1, 3))
    @pytest.mark.filterwarnings("ignore:Parsed a serial number which wasn't positive")
    @pytest.mark.filterwarnings("ignore:Attribute's length must be")
    def test(targets: dict[str, Made], random: Random, changes: int) -> None:
        for data in targets[target].seeds:
            for _ in range(changes):
                data = spoil(data, random)
            targets[target].run(data)

    return test


test_a_certificate = aimed("certificates")
test_a_certificate_that_our_authority_signed = aimed("signed-certificates")
test_an_authority_that_our_root_signed = aimed("signed-authorities")
test_a_header_of_the_proxy = aimed("proxy-headers")
test_a_revocation_list = aimed("revocation-lists")
test_an_ocsp_question_and_answer = aimed("ocsp")
