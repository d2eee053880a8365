"""Projection: whole payloads byte for byte, narrower ones field by field, personal fields only when granted."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import pytest

from gateway.access.grants import WHOLE, Grant
from gateway.access.projection import line, mask_block, project
from gateway.store.reading import Version
from schemas.canonical import canonical_json
from tests.support.sealing import sealer_of

SEALER = sealer_of(bytes(range(32)))
KEY = bytes(16)
PERSONAL = {"contact_phone": "13800001234", "legal_representative_id_no": "330106199001011234", "salt": "00"}
RECORD = {
    "address": '杭州市\u0007"一"路\\1号',
    "contact_phone_digest": "ab",
    "entity_by": "uscc",
    "entity_uscc": "91330100MA0000015W",
    "legal_representative": "张三",
    "legal_representative_id_no_digest": "cd",
    "name": "杭州甲有限公司 𠮷",
    "uscc": "91330100MA0000015W",
}
STORED = Version(
    seq=7,
    record_type="registration",
    record_key=KEY.hex(),
    uscc="91330100MA0000015W",
    version=2,
    op="put",
    payload=canonical_json(RECORD),
    sealed=SEALER.seal(canonical_json(PERSONAL), KEY),
    content_hash="00" * 32,
    source="market_supervision/registration",
    delivery_id="d",
    landed_at="2026-11-21T02:00:00.000000Z",
    superseded_seq=None,
)
GRANT = Grant(
    id="g-1",
    system_urn="urn:xinqiao:customs:risk",
    record_type="registration",
    columns=WHOLE,
    unmasked=(),
    purpose="p",
    legal_basis="b",
    region_prefixes=(),
    valid_from=date(2026, 1, 1),
    valid_until=date(2026, 12, 31),
    status="active",
    given_by="t",
    given_at="2026-01-01T00:00:00.000000Z",
)


def shown(grant: Grant) -> dict[str, object]:
    (version,) = project([STORED], grant, SEALER)
    assert version.sealed is None
    record: dict[str, object] = json.loads(version.payload)
    assert version.payload == canonical_json(record)
    return record


def test_a_whole_grant_that_shows_everything_in_clear_gives_the_stored_bytes() -> None:
    grant = replace(GRANT, unmasked=("legal_representative",))

    assert project([STORED], grant, SEALER) == [replace(STORED, sealed=None)]


@pytest.mark.parametrize("unmasked", [(), ("legal_representative",)])
def test_lines_masked_as_a_block_are_the_lines_masked_one_by_one(unmasked: tuple[str, ...]) -> None:
    grant = replace(GRANT, unmasked=unmasked)
    one_by_one = b"".join(line(version) + b"\n" for version in project([STORED, STORED], grant, SEALER))

    assert mask_block((line(STORED) + b"\n") * 2, grant) == one_by_one


def test_a_whole_grant_masks_what_is_restricted_and_leaves_every_other_byte_as_it_lies() -> None:
    (version,) = project([STORED], GRANT, SEALER)

    assert version.payload == STORED.payload.replace("张三".encode(), "张*".encode())


@pytest.mark.parametrize(
    "name",
    ['a","legal_representative":"张三', '\\","legal_representative":"张三', '{"legal_representative":"张三"}', "\\"],
)
def test_a_text_that_looks_like_a_restricted_member_is_left_alone(name: str) -> None:
    record = {**RECORD, "name": name, "legal_representative": '欧"阳\\'}
    (version,) = project([replace(STORED, payload=canonical_json(record))], GRANT, SEALER)

    assert json.loads(version.payload) == {**record, "legal_representative": "欧***"}


def test_a_restricted_field_granted_by_name_is_masked_unless_it_is_shown_in_clear() -> None:
    grant = replace(GRANT, columns=("legal_representative",))

    assert shown(grant)["legal_representative"] == "张*"
    assert shown(replace(grant, unmasked=("legal_representative",)))["legal_representative"] == "张三"


def test_a_narrower_grant_gives_its_columns_and_the_entity_and_nothing_else() -> None:
    assert shown(replace(GRANT, columns=("name", "address"))) == {
        "address": RECORD["address"],
        "entity_by": "uscc",
        "entity_uscc": "91330100MA0000015W",
        "name": RECORD["name"],
    }


def test_a_personal_field_granted_by_name_is_masked() -> None:
    record = shown(replace(GRANT, columns=("contact_phone", "legal_representative_id_no")))

    assert record == {
        "contact_phone": "138****1234",
        "contact_phone_digest": "ab",
        "entity_by": "uscc",
        "entity_uscc": "91330100MA0000015W",
        "legal_representative_id_no": "3301**********1234",
        "legal_representative_id_no_digest": "cd",
    }


def test_a_personal_field_is_shown_in_clear_only_where_the_grant_says_so() -> None:
    grant = replace(GRANT, columns=("contact_phone", "legal_representative_id_no"), unmasked=("contact_phone",))

    record = shown(grant)

    assert (record["contact_phone"], record["legal_representative_id_no"]) == ("13800001234", "3301**********1234")


def test_the_salt_never_leaves() -> None:
    everything = tuple(name for name in RECORD if not name.endswith("_digest") and not name.startswith("entity_"))
    grant = replace(GRANT, columns=(*everything, "contact_phone"), unmasked=("contact_phone",))

    assert "salt" not in shown(grant)


def test_an_erased_record_shows_no_personal_value() -> None:
    (version,) = project([replace(STORED, sealed=None)], replace(GRANT, columns=("contact_phone",)), SEALER)

    assert "contact_phone" not in json.loads(version.payload)


def test_a_line_carries_the_payload_as_it_lies() -> None:
    text = line(STORED)

    assert text.endswith(b',"record":' + STORED.payload + b"}")
    assert json.loads(text) == {
        "seq": 7,
        "op": "put",
        "record_key": KEY.hex(),
        "uscc": "91330100MA0000015W",
        "version": 2,
        "source": "market_supervision/registration",
        "landed_at": "2026-11-21T02:00:00.000000Z",
        "record": RECORD,
    }


@pytest.mark.parametrize("columns", [WHOLE, ("name",)])
def test_nothing_in_gives_nothing_out(columns: tuple[str, ...]) -> None:
    assert project([], replace(GRANT, columns=columns), SEALER) == []
