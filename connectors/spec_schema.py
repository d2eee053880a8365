"""The shape of ``source.yml`` as marshmallow schemas; loading one gives the dataclasses of ``spec``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, pre_load, validate, validates_schema

from connectors import spec
from connectors.request_options import (
    FilesRequest,
    Paging,
    RestRequest,
    Signature,
    SoapRequest,
    TablesRequest,
    Token,
    Verdict,
)

FORMATS = ("csv", "xlsx", "xls", "zip", "json", "xml", "ndjson")
CRON = re.compile(r"(?:[0-9*/,\-]+\s+){4}[0-9*/,\-]+")


def _texts(value: Any) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    if not items or not all(isinstance(item, str) and item for item in items):
        raise ValidationError(f"expected text or a list of texts (quote numbers), got {value!r}")
    return tuple(items)


class Texts(fields.Field[tuple[str, ...]]):
    """One text or a list of texts, as a tuple."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> tuple[str, ...]:
        return _texts(value)


class TextLists(fields.Field[tuple[tuple[str, ...], ...]]):
    """A list of :class:`Texts`."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any
    ) -> tuple[tuple[str, ...], ...]:
        if not isinstance(value, list):
            raise ValidationError(f"expected a list, got {value!r}")
        return tuple(_texts(item) for item in value)


class _Part(Schema):
    """A section of the file that becomes a dataclass of the same fields; unknown keys are errors."""

    makes: type[Any]

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Any:
        return self.makes(**data)


def _texts_by_name(required: bool = False) -> fields.Dict:
    return fields.Dict(keys=fields.String(), values=fields.String(), required=required)


_seconds = validate.Range(min=0.1, max=3600)
_share = validate.Range(min=0, max=1)


class PagingSchema(_Part):
    makes = Paging
    kind = fields.String(required=True, validate=validate.OneOf(("none", "page", "cursor")))
    number = fields.String()
    first = fields.Integer(strict=True)
    size = fields.String()
    per_page = fields.Integer(strict=True, validate=validate.Range(min=1))
    total = fields.String()
    next = fields.String()
    token = fields.String()


class VerdictSchema(_Part):
    makes = Verdict
    path = fields.String(required=True)
    value = fields.String(required=True)
    message = fields.String()
    retry = Texts()
    renew = Texts()


class TokenSchema(_Part):
    makes = Token
    path = fields.String(required=True)
    arguments = _texts_by_name(required=True)
    found_at = fields.String()
    send = fields.String(validate=validate.OneOf(("form", "json")))
    header = fields.String(allow_none=True)
    prefix = fields.String()
    param = fields.String()


class SignatureSchema(_Part):
    makes = Signature
    key_argument = fields.String()
    time_argument = fields.String()
    argument = fields.String()
    fields_ = Texts(data_key="fields", attribute="fields")
    secret = fields.String()


class RestSchema(_Part):
    makes = RestRequest
    path = fields.String(required=True)
    method = fields.String(validate=validate.OneOf(("GET", "POST")))
    arguments = _texts_by_name()
    headers = _texts_by_name()
    paging = fields.Nested(PagingSchema)
    ok = fields.Nested(VerdictSchema)
    token = fields.Nested(TokenSchema)
    signature = fields.Nested(SignatureSchema)
    timeout_seconds = fields.Float(validate=_seconds)


class SoapSchema(_Part):
    makes = SoapRequest
    operation = fields.String(required=True)
    wsdl = fields.String()
    arguments = _texts_by_name()
    paging = fields.Nested(PagingSchema)
    ok = fields.Nested(VerdictSchema)
    service = fields.String()
    port = fields.String()
    timeout_seconds = fields.Float(validate=_seconds)


class FilesSchema(_Part):
    makes = FilesRequest
    patterns = Texts(required=True)
    ready = fields.String(validate=validate.OneOf(("stable", "done")))
    settle_seconds = fields.Float(validate=validate.Range(min=0, max=3600))


class TablesSchema(_Part):
    makes = TablesRequest
    table = fields.String(required=True)
    schema = fields.String()
    key = Texts(required=True)
    columns_ = Texts(data_key="columns", attribute="columns")
    page_size = fields.Integer(strict=True, validate=validate.Range(min=1))


REQUESTS: dict[str, type[_Part]] = {
    "rest": RestSchema,
    "soap": SoapSchema,
    "files": FilesSchema,
    "tables": TablesSchema,
}


class CursorSchema(_Part):
    makes = spec.Cursor
    heading = fields.String(required=True)
    format = fields.String(load_default="%Y-%m-%d %H:%M:%S")
    overlap_seconds = fields.Integer(strict=True, load_default=600, validate=validate.Range(min=0))
    start = fields.String(load_default="2000-01-01T00:00:00")


class ContinuationSchema(_Part):
    makes = spec.Continuation
    when_blank = fields.String(required=True)
    fill = Texts(required=True)


class DecodeSchema(_Part):
    makes = spec.Decode
    formats = Texts(required=True, validate=validate.ContainsOnly(FORMATS))
    encoding = fields.String(validate=validate.OneOf(("gb18030", "utf-8-sig")))
    separator = fields.String(validate=validate.Length(equal=1))
    sheets = Texts()
    header_within = fields.Integer(strict=True, validate=validate.Range(min=1, max=100))
    footer = Texts()
    continuation = fields.Nested(ContinuationSchema)
    rows = fields.String()
    inner = fields.String()
    fold_case = fields.Boolean()
    nested_json = Texts()

    @validates_schema
    def _patterns_compile(self, data: dict[str, Any], **_: Any) -> None:
        for pattern in data.get("footer", ()):
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValidationError(f"{pattern!r} is not a regular expression: {error}", "footer") from error


class ColumnSchema(_Part):
    makes = spec.Column
    field = fields.String(required=True)
    headings = Texts(data_key="from")
    also = TextLists()
    via = fields.Dict(keys=fields.String(), values=fields.String())
    lookup = fields.String()
    optional = fields.Boolean()
    constant = fields.String()

    @pre_load
    def _short_forms(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {**data, "via": {"name": data["via"]}} if isinstance(data.get("via"), str) else data

    @validates_schema
    def _one_way_to_fill(self, data: dict[str, Any], **_: Any) -> None:
        if ("headings" in data) == ("constant" in data):
            raise ValidationError("say either `from` (headings) or `constant`", "from")

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> spec.Column:
        if via := data.pop("via", None):
            options = {key: value for key, value in via.items() if key != "name"}
            data["via"] = spec.Via(via["name"], options)
        return spec.Column(**data)


class FormSchema(_Part):
    makes = spec.Form
    name = fields.String(required=True)
    columns = fields.Dict(keys=fields.String(), values=fields.Raw(), required=True, validate=validate.Length(min=1))
    ignore = fields.Dict(keys=fields.String(), values=fields.String(validate=validate.Length(min=2)))
    require = Texts()

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> spec.Form:
        columns, errors = [], {}
        for name, entry in data["columns"].items():
            section = entry if isinstance(entry, dict) else {"from": entry}
            try:
                columns.append(ColumnSchema().load({"field": name, **section}))
            except ValidationError as error:
                errors[name] = error.messages
        if errors:
            raise ValidationError({"columns": errors})
        return spec.Form(**{**data, "columns": tuple(columns)})


class OperationSchema(_Part):
    makes = spec.Operation
    headings = Texts(data_key="from", required=True)
    put = Texts(required=True)
    withdraw = Texts(required=True)


class WordSchema(_Part):
    makes = spec.Word
    words = Texts(required=True)
    code = fields.String(required=True)
    because = fields.String(required=True, validate=validate.Length(min=2))


class ExpectSchema(_Part):
    makes = spec.Expect
    rows_min = fields.Integer(strict=True, validate=validate.Range(min=0))
    rows_max = fields.Integer(strict=True, validate=validate.Range(min=1))
    valid_uscc = fields.Float(validate=_share)
    accepted = fields.Float(validate=_share)
    keeps = fields.Float(validate=_share)
    filled = fields.Dict(keys=fields.String(), values=fields.Float(validate=_share))


class SourceSignatureSchema(_Part):
    makes = spec.Signature
    required = fields.Boolean()
    forms = Texts(validate=[validate.Length(min=1), validate.ContainsOnly(spec.SIGNATURE_FORMS)])


class CatalogueSchema(_Part):
    makes = spec.Catalogue
    code = fields.String(required=True)
    category = fields.String(required=True, validate=validate.OneOf(("basic", "theme", "department")))
    provider_zh = fields.String(required=True)
    provider_uscc = fields.String(required=True, validate=validate.Length(equal=18))
    summary_zh = fields.String(required=True)
    summary_en = fields.String(required=True)
    share_type = fields.String(required=True, validate=validate.OneOf(("unconditional", "conditional", "refused")))
    update_cycle = fields.String(
        required=True, validate=validate.OneOf(("realtime", "daily", "weekly", "monthly", "quarterly", "yearly"))
    )
    published_on = fields.String(required=True, validate=validate.Regexp(r"\d{4}-\d{2}-\d{2}\Z"))
    share_condition = fields.String()
    refusal_ground = fields.String()
    share_method = fields.String()
    open_to_public = fields.Boolean()
    open_condition = fields.String()

    @validates_schema
    def _grounds_are_given(self, data: dict[str, Any], **_: Any) -> None:
        needed = {"conditional": "share_condition", "refused": "refusal_ground"}.get(data.get("share_type", ""))
        if needed and not data.get(needed):
            raise ValidationError(f"required because share_type is {data['share_type']}", needed)


class TitleSchema(Schema):
    """Title of the source in both languages."""

    zh = fields.String(required=True)
    en = fields.String(required=True)


class SourceSchema(Schema):
    """The whole file, section by section; ``spec_file`` adds what is known from the folder."""

    title = fields.Nested(TitleSchema, required=True)
    record_type = fields.String(required=True)
    transport = fields.String(required=True, validate=validate.OneOf(tuple(REQUESTS)))
    endpoint = fields.String(load_default=None, allow_none=True)
    request = fields.Dict(required=True)
    decode = fields.Nested(DecodeSchema, required=True)
    delivery = fields.String(required=True, validate=validate.OneOf(("snapshot", "changes")))
    cursor = fields.Nested(CursorSchema, load_default=None)
    forms = fields.List(fields.Nested(FormSchema), required=True, validate=validate.Length(min=1))
    operation = fields.Nested(OperationSchema, load_default=None)
    lookups = fields.Dict(keys=fields.String(), values=fields.List(fields.Nested(WordSchema)), load_default=dict)
    expect = fields.Nested(ExpectSchema, load_default=spec.Expect)
    schedule = fields.String(load_default=None, allow_none=True)
    catalogue = fields.Nested(CatalogueSchema, required=True)
    signature = fields.Nested(SourceSignatureSchema, load_default=spec.Signature)
    authority = fields.Integer(strict=True, load_default=100)

    @validates_schema
    def _sections_agree(self, data: dict[str, Any], **_: Any) -> None:
        if data.get("schedule") and not CRON.fullmatch(data["schedule"]):
            raise ValidationError("expected five cron fields, e.g. '30 1 * * *'", "schedule")
        if data.get("schedule") and not data.get("endpoint"):
            raise ValidationError("a scheduled source needs an endpoint to fetch from", "endpoint")
        if data["signature"].required and data.get("endpoint") and data.get("transport") != "files":
            raise ValidationError("what is fetched over soap, rest or tables carries no signature", "signature")
        if data.get("cursor") and data.get("delivery") == "snapshot":
            raise ValidationError("a snapshot is always whole and has no cursor", "cursor")
        if data.get("operation") and data.get("delivery") == "snapshot":
            raise ValidationError("a snapshot withdraws by absence and has no operation column", "operation")
