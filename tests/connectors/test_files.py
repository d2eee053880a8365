"""Drop folders: which files are taken, in which order, and when they leave."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from connectors.connections import Connection, Connections
from connectors.delivery import Delivery
from connectors.errors import Refused, Unavailable
from connectors.receive import acknowledge, receive
from connectors.spec import SourceSpec
from connectors.transports import files
from connectors.transports.files import from_upload
from connectors.vault import Vault
from tests.connectors.support import COMPLAINTS, NOW, connection, make_spec

FILES = COMPLAINTS.replace("delivery: changes", "endpoint: endpoint\ndelivery: changes")
FLAGGED = make_spec(FILES, ('{patterns: ["*.csv"]}', '{patterns: ["投诉*.csv", "*.zip"], ready: done}'))
SETTLED = make_spec(FILES, ('{patterns: ["*.csv"]}', '{patterns: ["*.csv"], settle_seconds: 60}'))
AT_ONCE = make_spec(FILES, ('{patterns: ["*.csv"]}', '{patterns: ["*.csv"], settle_seconds: 0}'))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "drop").mkdir()
    return tmp_path / "drop"


def endpoint(folder: Path, url: str = "drop") -> Connections:
    found: Connection = connection(url, folder.parent)
    return Connections({"endpoint": found})


def taken(spec: SourceSpec, folder: Path) -> list[Delivery]:
    return list(receive(spec, endpoint(folder), Vault(folder.parent), None, NOW))


def test_flagged_files_of_the_declared_names_are_taken_in_order(folder: Path) -> None:
    for name in ("投诉2.csv", "投诉1.csv", "别的.csv", "投诉3.csv", "a.zip"):
        (folder / name).write_text(name)
    for name in ("投诉2.csv", "投诉1.csv", "别的.csv"):
        (folder / f"{name}.done").touch()

    found = taken(FLAGGED, folder)

    assert [[part.name for part in delivery.parts] for delivery in found] == [["投诉1.csv"], ["投诉2.csv"]]
    assert {delivery.origin for delivery in found} == {f"drop:{folder}"}
    assert found[0].parts[0].path.read_text() == "投诉1.csv"


def test_a_file_that_is_still_being_written_waits(folder: Path) -> None:
    file = folder / "a.csv"
    file.write_text("half")
    os.utime(file, (1, 1))  # a copying tool may set an old time while it writes

    assert taken(SETTLED, folder) == []
    assert len(taken(AT_ONCE, folder)) == 1


def test_links_and_folders_are_never_taken(folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("do not read me")
    (folder / "link.csv").symlink_to(secret)
    (folder / "folder.csv").mkdir()

    assert taken(AT_ONCE, folder) == []


def test_a_link_that_takes_the_place_of_a_file_is_not_followed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret, link = tmp_path / "secret.csv", folder / "a.csv"
    secret.write_text("do not read me")
    link.symlink_to(secret)
    # The file was looked at before the link took its place.
    monkeypatch.setattr(files, "ready_files", lambda folder, request: [link])

    with pytest.raises(Unavailable, match="cannot be read"):
        taken(AT_ONCE, folder)


def test_a_landed_file_is_not_moved_through_a_link(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (folder / "a.csv").write_text("x")
    (delivery,) = taken(AT_ONCE, folder)
    (folder / "processed").symlink_to(elsewhere)

    with pytest.raises(Refused, match="is a link"):
        acknowledge(delivery, AT_ONCE, endpoint(folder))

    assert (list(elsewhere.iterdir()), (folder / "a.csv").exists()) == ([], True)


def test_a_landed_file_moves_away_with_its_flag_and_nothing_is_overwritten(folder: Path) -> None:
    for round_ in ("one", "two"):
        (folder / "投诉.csv").write_text(round_)
        (folder / "投诉.csv.done").touch()
        (delivery,) = taken(FLAGGED, folder)
        acknowledge(delivery, FLAGGED, endpoint(folder))

    assert sorted(file.read_text() for file in (folder / "processed").iterdir()) == ["one", "two"]
    assert [file.name for file in folder.iterdir()] == ["processed"]


def test_a_file_that_was_replaced_meanwhile_stays(folder: Path) -> None:
    (folder / "a.csv").write_text("old")
    (delivery,) = taken(AT_ONCE, folder)
    (folder / "a.csv").write_text("new")

    acknowledge(delivery, AT_ONCE, endpoint(folder))

    assert [file.name for file in folder.iterdir()] == ["a.csv"]


def test_a_folder_that_cannot_be_read_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="the drop folder .* cannot be read"):
        taken(AT_ONCE, tmp_path / "nowhere")


def test_a_folder_may_be_named_by_a_file_url(folder: Path) -> None:
    (folder / "a.csv").write_text("x")

    found = list(receive(AT_ONCE, endpoint(folder, folder.as_uri()), Vault(folder.parent), None, NOW))

    assert len(found) == 1


def test_an_upload_is_kept_under_a_harmless_label(tmp_path: Path) -> None:
    name = "../../五月\n\x1b[31m.csv" + "x" * 300

    delivery = from_upload(AT_ONCE, name, io.BytesIO(b"abc"), Vault(tmp_path), "cli", NOW)

    (part,) = delivery.parts
    assert (part.name[:19], len(part.name), part.size) == ("../../五月[31m.csvxxxx"[:19], 255, 3)
    assert part.path.is_relative_to(tmp_path / "received")
    acknowledge(delivery, AT_ONCE, Connections())
