"""JSON and XML: values as written, nothing reached or expanded that does not stand in the bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.delivery import Sheet
from connectors.errors import Undecodable
from connectors.spec import SourceSpec
from tests.connectors import support
from tests.connectors.support import COMPLAINTS, any_headings, make_spec, mapped, rows

JSON = make_spec(COMPLAINTS, ("formats: [csv]", "formats: [json], rows: data.list, nested_json: [企业]"))
XML = make_spec(COMPLAINTS, ("formats: [csv]", "formats: [xml], rows: list/row"))
MESSAGE = make_spec(COMPLAINTS, ("formats: [csv]", "formats: [xml], inner: return, rows: BODY/FIELDS, fold_case: true"))
LINES = make_spec(COMPLAINTS, ("formats: [csv]", "formats: [ndjson]"))


def read(spec: SourceSpec, data: bytes) -> Sheet:
    """Decode one file, whatever it calls its values."""
    return support.read(any_headings(spec), data)


def test_json_values_are_text_exactly_as_written() -> None:
    data = '{"data": {"list": [{"a": 1.10, "b": 1e3, "c": true, "d": null, "e": "", "f": 00}]}}'.replace("00", "0")

    assert read(JSON, data.encode()).frame.drop("_row", "_part").to_dicts() == [
        {"_line": 1, "a": "1.10", "b": "1e3", "c": "true", "d": None, "e": None, "f": "0"}
    ]


def test_nested_objects_and_json_inside_text_become_dotted_headings() -> None:
    inner = '{\\"名称\\": \\"甲\\", \\"码\\": 12345678901234567890}'
    data = '{"data": {"list": [{"x": {"y": {"z": "1"}}, "企业": "' + inner + '"}]}}'

    assert read(JSON, data.encode()).frame.select("x.y.z", "企业.名称", "企业.码").rows() == [
        ("1", "甲", "12345678901234567890")
    ]


def test_lists_of_plain_values_are_joined() -> None:
    assert read(JSON, b'{"data": {"list": [{"kinds": ["1", 2]}]}}').frame["kinds"].to_list() == ["1;2"]


@pytest.mark.parametrize("rows_text", ["[]", "null"])
def test_an_empty_answer_maps_to_no_rows(rows_text: str) -> None:
    found = mapped(JSON, b'{"data": {"list": ' + rows_text.encode() + b"}}")

    assert (found.frame.height, "complaint_no" in found.frame.columns) == (0, True)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"data": {"list": [{"a": 1, "a": 2}]}}', "key 'a' is there twice"),
        (b'{"data": {"list": [', "not JSON"),
        (b'{"data": {"list": [NaN]}}', "NaN is not JSON"),
        (b'{"data": {"rows": []}}', "there is nothing at 'data.list', only rows"),
        (b'{"data": {"list": {"a": 1}}}', "expected a list at 'data.list', got dict"),
        (b'{"data": {"list": [1]}}', "expected an object, got '1'"),
        (b"[" * 100_000, "not JSON"),
        ('{"data": "甲"}'.encode("gbk"), "declared as utf-8-sig, but byte 10"),
    ],
)
def test_what_is_not_the_declared_json_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(Undecodable) as found:
        read(JSON, data)

    assert said in found.value.en


def test_a_wrong_line_of_a_table_dump_is_named() -> None:
    with pytest.raises(Undecodable, match="file:2: not JSON"):
        read(LINES, b'{"a": "1"}\n{"a": \n')


def test_xml_rows_are_found_by_local_names_whatever_the_prefix() -> None:
    data = """<s:Envelope xmlns:s="urn:soap"><s:Body><n:list xmlns:n="urn:n">
    <n:row><n:编号 k="v"> 1 </n:编号><n:x><n:y>2</n:y></n:x></n:row><n:row><n:编号 k="w"/></n:row>
    </n:list><row><编号>not in a list</编号></row></s:Body></s:Envelope>"""

    assert read(XML, data.encode()).frame.drop("_row", "_part").to_dicts() == [
        {"_line": 1, "编号": " 1 ", "编号.@k": "v", "x.y": "2"},
        {"_line": 2, "编号": None, "编号.@k": "w", "x.y": None},
    ]


def test_an_empty_record_of_an_answer_is_skipped_and_counted() -> None:
    sheet = read(JSON, b'{"data": {"list": [{"a": "1"}, {"a": null}]}}')

    assert [(finding.rule, finding.count) for finding in sheet.findings] == [("row.blank", 1)]


def test_a_repeated_element_is_another_column_and_never_overwrites() -> None:
    assert read(XML, b"<list><row><a>1</a><a>2</a></row></list>").frame.select("a", "a (2)").rows() == [("1", "2")]


def test_a_message_inside_a_message_is_read_in_either_case() -> None:
    inner = "<Body><fields><cf_wsh>1</cf_wsh></fields><FIELDS><CF_WSH>2</CF_WSH></FIELDS></Body>"
    message = f"<ExchangeMessage><Header/>{inner}</ExchangeMessage>"
    data = f"<Envelope><Body><return><![CDATA[{message}]]></return></Body></Envelope>"

    assert read(MESSAGE, data.encode()).frame["CF_WSH"].to_list() == ["1", "2"]


def test_an_external_entity_is_refused_and_never_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("do not read me")
    data = f'<!DOCTYPE list [<!ENTITY x SYSTEM "file://{secret}">]><list><row><a>&x;</a></row></list>'

    with pytest.raises(Undecodable) as found:
        read(XML, data.encode())

    assert "document type" in found.value.en
    assert "do not read me" not in str(found.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entity_expansion_is_refused_in_any_encoding(encoding: str) -> None:
    entities = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10 if i else "lol"}">' for i in range(10))
    data = f"<!DOCTYPE list [{entities}]><list><row><a>&e9;</a></row></list>".encode(encoding)

    with pytest.raises(Undecodable):
        read(XML, data)


def test_an_entity_inside_the_inner_message_is_refused() -> None:
    data = '<E><return>&lt;!DOCTYPE x [&lt;!ENTITY a "b"&gt;]&gt;&lt;x&gt;&amp;a;&lt;/x&gt;</return></E>'

    with pytest.raises(Undecodable, match="document type"):
        read(MESSAGE, data.encode())


@pytest.mark.parametrize("data", [b"<list><row>", b"<list></lists>", b"<html><body>no"])
def test_xml_that_is_not_well_formed_is_refused(data: bytes) -> None:
    with pytest.raises(Undecodable, match="not well-formed"):
        read(XML, data)


def test_csv_where_xml_is_declared_is_refused() -> None:
    with pytest.raises(Undecodable):
        read(XML, "编号,类型\n1,2\n".encode())


def test_line_numbers_of_table_dumps_are_those_of_the_file() -> None:
    assert rows(read(LINES, b'{"a": "1"}\n\n{"a": "2"}\n')) == [(1, "1"), (3, "2")]


def test_rows_that_each_bring_a_column_of_their_own_are_refused() -> None:
    rows_text = ",".join(f'{{"k{i}": "1"}}' for i in range(1001))

    with pytest.raises(Undecodable, match="has 1001 columns, more than allowed"):
        read(JSON, f'{{"data": {{"list": [{rows_text}]}}}}'.encode())


def test_a_namespace_with_a_brace_changes_no_name() -> None:
    # The parser forgets its complaint about the brace over the next one, about a namespace that is relative.
    data = b'<list xmlns:n="urn:a}b"><row n:note="x"><n:a>1</n:a><b xmlns="r">2</b></row></list>'

    assert read(XML, data).frame.drop("_row", "_part", "_line").to_dicts() == [{"a": "1", "b": "2"}]
