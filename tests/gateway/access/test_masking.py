"""Masks: what stays to be seen of a personal value."""

from __future__ import annotations

import pytest

from gateway.access.masking import mask


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("330106199001011234", "3301**********1234"),
        ("33010619900101123X", "3301**********123X"),
        ("330106900101123", "3301*******1123"),
        ("13800001234", "138****1234"),
        ("+8613800001234", "+86****1234"),
        ("0571-88001234", "057****1234"),
        ("88001234", "******34"),
        ("6222021234567890123", "***************0123"),
        ("6222021234567890", "************7890"),
        ("zhang.san@example.gov.cn", "z***@example.gov.cn"),
        ("张三", "张*"),
        ("张三丰", "张**"),
        ("阿迪力·买买提", "阿******"),
        ("Smith", "S***"),
        ("王", "王***"),
        ("", "***"),
        ("张三 13800001234", "张***"),
    ],
)
def test_the_middle_is_hidden(value: str, shown: str) -> None:
    assert mask(value) == shown


@pytest.mark.parametrize("value", ["330106199001011234", "13800001234", "张三丰", "some long free text of a person"])
def test_what_is_hidden_cannot_be_read_back(value: str) -> None:
    assert len(set(mask(value)) - {"*"}) < len(set(value))
