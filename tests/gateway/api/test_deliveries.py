"""Handing over by HTTP: receipts, repetition, refusals, quarantine."""

from __future__ import annotations

import getpass
import hashlib
import io
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from sqlalchemy import func, select

from gateway.audit.reading import what_did
from gateway.cli.quarantine import quarantine
from gateway.store.tables import deliveries, versions_table
from tests.gateway.api.installation import ONE, SOURCE, Installation, System, ask, company_list, problem

ADDRESS = f"/v1/sources/{SOURCE}/deliveries"
COUNTS = ("received", "accepted", "rejected", "unresolved", "new", "changed", "unchanged", "withdrawn")


def registered(home: Installation) -> int:
    with home.store.read() as conn:
        return int(conn.execute(select(func.count()).select_from(deliveries)).scalar_one())


def test_a_receipt_counts_what_came_of_each_row(client: FlaskClient, provider: System, landed: str) -> None:
    receipt = ask(client, provider, "GET", f"/v1/deliveries/{landed}").get_json()

    assert {name: receipt[name] for name in COUNTS} == {
        "received": 3,
        "accepted": 2,
        "rejected": 1,
        "unresolved": 0,
        "new": 2,
        "changed": 0,
        "unchanged": 0,
        "withdrawn": 0,
    }
    assert set(receipt["audit"]) >= {"index", "size", "proof", "checkpoint"}


def test_the_same_bytes_again_get_the_first_receipt(client: FlaskClient, provider: System) -> None:
    file = company_list(("丁有限公司", "91340100MA0000031N"))

    first = ask(client, provider, "POST", ADDRESS, data=file, content_type="text/csv")
    again = ask(client, provider, "POST", ADDRESS, data=file, content_type="text/csv")

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.get_json()["delivery_id"] == first.get_json()["delivery_id"]
    assert again.headers["Location"] == first.headers["Location"]


def test_the_same_bytes_twice_at_once_land_once(home: Installation, client: FlaskClient, provider: System) -> None:
    file = company_list(("戊有限公司", "91330100MA000004XA"))

    def deliver(_: int) -> str:
        fresh = client.application.test_client()
        answer = ask(fresh, provider, "POST", ADDRESS, data=file, content_type="text/csv")
        return str(answer.get_json()["delivery_id"])

    with ThreadPoolExecutor(4) as pool:
        ids = set(pool.map(deliver, range(4)))

    versions = versions_table("registration")
    with home.store.read() as conn:
        landed_in = conn.execute(
            select(versions.c.delivery_id).where(versions.c.uscc == "91330100MA000004XA")
        ).scalars()
        assert ids == set(landed_in)
    assert len(ids) == 1


def test_a_form_with_one_file_is_a_delivery_too(client: FlaskClient, provider: System) -> None:
    file = (io.BytesIO(company_list(("己有限公司", ONE))), "企业名单.csv", "text/csv")

    answer = ask(client, provider, "POST", ADDRESS, data={"file": file}, content_type="multipart/form-data")

    assert (answer.status_code, answer.get_json()["accepted"]) == (201, 1)


def test_a_form_with_two_files_is_refused(client: FlaskClient, provider: System) -> None:
    files = {name: (io.BytesIO(b"x"), f"{name}.csv", "text/csv") for name in ("a", "b")}

    answer = ask(client, provider, "POST", ADDRESS, data=files, content_type="multipart/form-data")

    assert problem(answer) == (422, "invalid")


@pytest.mark.parametrize(
    ("headers", "label"),
    [
        ({"X-File-Name": "..%2F..%2Fetc%2F%E5%90%8D%E5%8D%95.csv"}, "名单.csv"),
        ({"X-File-Name": "C:\\temp\\list.csv"}, "list.csv"),
        ({"Content-Disposition": "attachment; filename*=UTF-8''%E5%90%8D%E5%8D%95.csv"}, "名单.csv"),
        ({"X-File-Name": "a%00b%0a.csv"}, "ab.csv"),
        ({}, "upload"),
    ],
)
def test_a_file_name_is_a_label_and_never_a_path(
    home: Installation, client: FlaskClient, provider: System, headers: dict[str, str], label: str
) -> None:
    file = company_list((f"庚有限公司{label}{len(headers)}{sorted(headers.values())}", ONE))

    answer = ask(client, provider, "POST", ADDRESS, data=file, content_type="text/csv", headers=headers)

    with home.store.read() as conn:
        parts = conn.execute(
            select(deliveries.c.parts).where(deliveries.c.id == answer.get_json()["delivery_id"])
        ).scalar_one()
    assert parts[0]["name"] == label
    assert parts[0]["path"].startswith("received/")


def test_a_source_of_another_agency_takes_nothing_from_us(
    home: Installation, client: FlaskClient, consumer: System
) -> None:
    before = registered(home)

    answer = ask(client, consumer, "POST", ADDRESS, data=b"x", content_type="text/csv")

    assert (problem(answer), registered(home)) == ((403, "not_yours"), before)


def test_a_source_that_does_not_exist_is_not_found(client: FlaskClient, provider: System) -> None:
    address = "/v1/sources/market_supervision/secrets/deliveries"

    assert problem(ask(client, provider, "POST", address, data=b"x", content_type="text/csv")) == (404, "not_found")


def test_a_body_over_the_limit_is_refused_and_nothing_is_registered(
    home: Installation, client: FlaskClient, provider: System
) -> None:
    before = registered(home)

    answer = ask(client, provider, "POST", ADDRESS, data=b"x" * 200_001, content_type="text/csv")

    assert (problem(answer), registered(home)) == ((413, "too_large"), before)
    assert list((home.settings.home / "received").glob(".arriving-*")) == []


@pytest.mark.parametrize("content_type", ["image/png", "application/x-www-form-urlencoded", ""])
def test_another_media_type_is_refused(client: FlaskClient, provider: System, content_type: str) -> None:
    answer = ask(client, provider, "POST", ADDRESS, data=b"x", content_type=content_type)

    assert problem(answer) == (415, "unsupported_media_type")


@pytest.mark.parametrize("file", [b"PK\x03\x04 truncated", "名称\r\n".encode("utf-16")])
def test_what_cannot_be_read_is_kept_and_refused_in_words(
    home: Installation, client: FlaskClient, provider: System, file: bytes
) -> None:
    answer = ask(client, provider, "POST", ADDRESS, data=file, content_type="text/csv")

    status, code = problem(answer)
    assert (status, code in ("undecodable", "source_changed")) == (422, True)
    listed = ask(client, provider, "GET", f"/v1/deliveries?source={SOURCE}").get_json()["deliveries"]
    digest = hashlib.sha256(hashlib.sha256(file).hexdigest().encode()).hexdigest()
    told = [(one["status"], one["receipt"]["problem"]["code"]) for one in listed if one["digest"] == digest]
    assert told == [("refused", code)]
    assert (home.settings.home / "received" / hashlib.sha256(file).hexdigest()[:2]).is_dir()


def test_an_empty_body_is_no_delivery(home: Installation, client: FlaskClient, provider: System) -> None:
    before = registered(home)

    answer = ask(client, provider, "POST", ADDRESS, data=b"", content_type="text/csv")

    assert (problem(answer), registered(home)) == ((422, "invalid"), before)


def test_deliveries_of_others_cannot_be_told_from_none(client: FlaskClient, consumer: System, landed: str) -> None:
    answers = [
        ask(client, consumer, "GET", f"/v1/deliveries/{landed}"),
        ask(client, consumer, "GET", f"/v1/receipts/{landed}"),
        ask(client, consumer, "GET", f"/v1/deliveries/{landed}/rejections"),
    ]

    assert [problem(answer) for answer in answers] == [(404, "not_found")] * 3
    assert ask(client, consumer, "GET", "/v1/deliveries").get_json() == {"deliveries": []}


def test_a_quarantined_row_shows_every_fault_and_not_its_content(
    client: FlaskClient, provider: System, landed: str
) -> None:
    (row,) = ask(client, provider, "GET", f"/v1/deliveries/{landed}/rejections").get_json()["rejections"]

    assert (row["row"], row["status"], [fault["field"] for fault in row["faults"]]) == (3, "open", ["uscc"])
    assert row["faults"][0]["candidates"] != []
    assert "sealed" not in row


def test_a_quarantined_row_is_corrected_once(home: Installation, client: FlaskClient, provider: System) -> None:
    file = company_list(("辛有限公司", ONE), ("壬有限公司", "91330100MA00000XXX"))
    made = ask(client, provider, "POST", ADDRESS, data=file, content_type="text/csv").get_json()
    (row,) = ask(client, provider, "GET", f"/v1/deliveries/{made['delivery_id']}/rejections").get_json()["rejections"]
    address = f"/v1/rejections/{row['id']}/correction"

    wrong = ask(client, provider, "POST", address, json={"values": {"uscc": "91330100MA00000YYY"}})
    right = ask(client, provider, "POST", address, json={"values": {"统一社会信用代码": "91330200MA0000023W"}})
    again = ask(client, provider, "POST", address, json={"values": {"uscc": "91330200MA0000023W"}})

    assert (problem(wrong)[0], right.status_code, problem(again)[0]) == (409, 200, 409)
    assert right.get_json()["accepted"] == 1


def test_a_quarantined_row_is_dismissed_with_a_reason(client: FlaskClient, provider: System) -> None:
    file = company_list(("癸有限公司", ONE), ("子有限公司", "无此代码"))
    made = ask(client, provider, "POST", ADDRESS, data=file, content_type="text/csv").get_json()
    listing = f"/v1/deliveries/{made['delivery_id']}/rejections"
    (row,) = ask(client, provider, "GET", listing).get_json()["rejections"]
    address = f"/v1/rejections/{row['id']}/dismissal"

    unreasoned = ask(client, provider, "POST", address, json={})
    done = ask(client, provider, "POST", address, json={"reason": "测试行"})

    assert (problem(unreasoned), done.status_code) == ((422, "invalid"), 204)
    (row,) = ask(client, provider, "GET", f"{listing}?status=dismissed").get_json()["rejections"]
    assert row["reason"] == "测试行"


def test_rows_of_others_cannot_be_settled(client: FlaskClient, consumer: System, provider: System, landed: str) -> None:
    (row,) = ask(client, provider, "GET", f"/v1/deliveries/{landed}/rejections").get_json()["rejections"]

    answers = [
        ask(client, consumer, "POST", f"/v1/rejections/{row['id']}/dismissal", json={"reason": "x"}),
        ask(client, consumer, "POST", f"/v1/rejections/{row['id']}/correction", json={"values": {"uscc": ONE}}),
    ]

    assert [problem(answer) for answer in answers] == [(404, "not_found")] * 2


def test_reading_quarantined_rows_is_an_entry(
    home: Installation, client: FlaskClient, provider: System, landed: str
) -> None:
    ask(client, provider, "GET", f"/v1/deliveries/{landed}/rejections?status=open")

    with home.store.read() as conn:
        newest = what_did(conn, provider.urn, 1)[0]
    assert (newest.action, newest.entry["delivery_id"], newest.entry["records"]) == ("quarantine.read", landed, 1)


def test_opening_a_quarantined_row_on_the_command_line_is_an_entry(
    home: Installation, client: FlaskClient, provider: System, landed: str
) -> None:
    (row,) = ask(client, provider, "GET", f"/v1/deliveries/{landed}/rejections").get_json()["rejections"]

    shown = CliRunner().invoke(quarantine, ["show", str(row["id"])], obj=home.settings, catch_exceptions=False)

    with home.store.read() as conn:
        newest = what_did(conn, f"cli:{getpass.getuser()}", 1)[0]
    assert json.loads(shown.stdout)["sent"]["企业名称"] == "丙有限公司"
    assert (newest.action, newest.entry["rejection"], newest.entry["opened"]) == ("quarantine.read", row["id"], True)


def test_a_number_that_no_column_can_hold_is_told_so(client: FlaskClient, provider: System, landed: str) -> None:
    beyond = 2**63

    answers = [
        ask(client, provider, "GET", f"/v1/deliveries/{landed}/rejections?after={beyond}"),
        ask(client, provider, "POST", f"/v1/rejections/{beyond}/dismissal", json={"reason": "x"}),
    ]

    assert [problem(answer) for answer in answers] == [(422, "invalid"), (404, "not_found")]


@pytest.mark.parametrize("path", ["/v1/deliveries?before=a%00b", "/v1/deliveries/a%00b", "/v1/deliveries?source=%00"])
def test_a_zero_byte_in_an_address_is_no_text(client: FlaskClient, provider: System, path: str) -> None:
    assert problem(ask(client, provider, "GET", path)) == (400, "bad_request")
