"""The shapes of ``/v1`` that are not records: arguments and answers, as they stand in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import RAISE, Schema, fields, validate

from certs.revocation import REVOCATION_REASONS
from gateway.access.applications import Wish
from gateway.access.grants import WHOLE
from gateway.access.reads import MAX_PAGE

MAX_CSR = 16_384
"""Characters of a certificate signing request; an RSA 4096 one takes a tenth of it."""

MAX_ID = 2**63 - 1
"""Largest number a database column can be asked for."""


def _said(text: str) -> dict[str, str]:
    return {"description": text}


class Strict(Schema):
    """What callers send: unknown members are refused, so that a misspelt one is noticed."""

    class Meta:
        """Unknown members are an error."""

        unknown = RAISE


class Problem(Schema):
    """RFC 9457 problem document."""

    type = fields.String(required=True, metadata=_said("urn:xinqiao:problem: and the code"))
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True, metadata=_said("both sentences"))
    instance = fields.String(required=True)
    code = fields.String(required=True, metadata=_said("stable; decide by this"))
    zh = fields.String(required=True)
    en = fields.String(required=True)
    request_id = fields.String(required=True)
    details = fields.Dict(metadata=_said("machine-readable facts"))


class Receipt(Schema):
    """What came of a delivery; kept and verified offline with `xinqiao audit verify-receipt`."""

    class Meta:
        """Findings and proof are documented in docs/operations."""

        additional = ("digest", "origin", "received_at", "landed_at", "form", "status")

    delivery_id = fields.String(required=True)
    source = fields.String()
    record_type = fields.String()
    received = fields.Integer()
    accepted = fields.Integer()
    rejected = fields.Integer()
    unresolved = fields.Integer()
    new = fields.Integer()
    changed = fields.Integer()
    unchanged = fields.Integer()
    withdrawn = fields.Integer()
    findings = fields.List(fields.Dict())
    audit = fields.Dict(metadata=_said("entry, inclusion proof and signed checkpoint"))
    signature = fields.Dict(metadata=_said("what the signature of the delivery proved; missing if it was not signed"))
    jws = fields.String(metadata=_said("the gateway's detached JWS over the canonical JSON of all other members"))


class DeliveryQuery(Strict):
    """Which deliveries are listed."""

    source = fields.String(load_default=None, metadata=_said("agency/source"))
    before = fields.String(load_default=None, metadata=_said("delivery_id to continue below"))
    limit = fields.Integer(load_default=100, validate=validate.Range(1, 1000))


class RejectionQuery(Strict):
    """Which quarantined rows are listed."""

    status = fields.String(load_default=None, validate=validate.OneOf(("open", "corrected", "replayed", "dismissed")))
    after = fields.Integer(load_default=0, validate=validate.Range(0, MAX_ID), metadata=_said("id to continue from"))
    limit = fields.Integer(load_default=100, validate=validate.Range(1, 1000))


class Correction(Strict):
    """Corrected values of a quarantined row."""

    values = fields.Dict(
        keys=fields.String(),
        values=fields.String(allow_none=True),
        required=True,
        validate=validate.Length(min=1),
        metadata=_said("shared field or the agency's own heading -> text; null empties it"),
    )


class Reason(Strict):
    """Why."""

    reason = fields.String(required=True, validate=validate.Length(1, 1000))


class EntityQuery(Strict):
    """When the entity is looked at."""

    as_of = fields.AwareDateTime(load_default=None, metadata=_said("instant with zone; default is now"))


class RecordQuery(EntityQuery):
    """Whose records."""

    uscc = fields.String(required=True, validate=validate.Length(1, 64))


class FeedQuery(Strict):
    """Which stretch of a feed."""

    after = fields.Integer(
        load_default=0, validate=validate.Range(0, MAX_ID), metadata=_said("position of the last version seen")
    )
    limit = fields.Integer(load_default=1000, validate=validate.Range(1, MAX_PAGE))
    wait = fields.Integer(
        load_default=0, validate=validate.Range(0, 60), metadata=_said("seconds to wait if there is nothing new yet")
    )


class StreamQuery(Strict):
    """From where a feed is streamed."""

    after = fields.Integer(
        load_default=0, validate=validate.Range(0, MAX_ID), metadata=_said("position of the last version seen")
    )


class ApplicationShape(Strict):
    """What an applicant asks for."""

    record_type = fields.String(required=True)
    columns = fields.List(
        fields.String(), load_default=None, validate=validate.Length(min=1), metadata=_said("absent: the whole record")
    )
    purpose = fields.String(required=True, validate=validate.Length(1, 200))
    legal_basis = fields.String(required=True, validate=validate.Length(1, 1000))
    region_prefixes = fields.List(fields.String(validate=validate.Regexp(r"[0-9]{2,12}\Z")), load_default=list)
    sources = fields.List(
        fields.String(), load_default=list, metadata=_said("agency/source; absent: every source of the record type")
    )
    percent = fields.Integer(
        load_default=100, validate=validate.Range(1, 100), metadata=_said("share of the records, always the same ones")
    )
    unmasked = fields.List(
        fields.String(), load_default=list, metadata=_said("restricted and personal fields to be shown in clear")
    )
    valid_from = fields.Date(required=True)
    valid_until = fields.Date(required=True)
    system = fields.String(
        load_default=None, metadata=_said("urn:xinqiao:agency:system the grant is for; absent: the calling system")
    )
    replaces = fields.String(load_default=None, metadata=_said("id of the grant that this one would change"))


def wish_of(asked: Mapping[str, Any]) -> Wish:
    """The application as the use case takes it."""
    columns = asked["columns"]
    return Wish(
        record_type=asked["record_type"],
        columns=WHOLE if columns is None else tuple(columns),
        purpose=asked["purpose"],
        legal_basis=asked["legal_basis"],
        valid_from=asked["valid_from"],
        valid_until=asked["valid_until"],
        region_prefixes=tuple(asked["region_prefixes"]),
        unmasked=tuple(asked["unmasked"]),
        sources=tuple(asked["sources"]),
        percent=asked["percent"],
    )


class ApplicationQuery(Strict):
    """Which applications are listed."""

    status = fields.String(load_default=None, validate=validate.OneOf(("waiting", "granted", "refused", "retracted")))
    overdue = fields.Boolean(load_default=False, metadata=_said("only those whose last day has passed"))


class ExportShape(Strict):
    """What is exported."""

    record_type = fields.String(required=True, validate=validate.Length(1, 80))


class QuotaShape(Strict):
    """What a system may do; 0 is no limit."""

    system = fields.String(required=True, validate=validate.Length(1, 200))
    requests = fields.Integer(load_default=0, validate=validate.Range(0, MAX_ID), metadata=_said("reads per period"))
    period_s = fields.Integer(load_default=60, validate=validate.Range(1, 86_400), metadata=_said("in seconds"))
    records = fields.Integer(load_default=0, validate=validate.Range(0, MAX_ID), metadata=_said("per day in China"))


class ChallengeShape(Strict):
    """A value that the reader believes to be wrong."""

    record_type = fields.String(required=True)
    seq = fields.Integer(required=True, validate=validate.Range(1, MAX_ID))
    field = fields.String(required=True)
    believed = fields.String(required=True, validate=validate.Length(max=2000))
    evidence = fields.String(required=True, validate=validate.Length(1, 4000))


class Decision(Strict):
    """How the providing agency decides a challenge."""

    decision = fields.String(required=True, validate=validate.OneOf(("upheld", "rejected")))
    reason = fields.String(required=True, validate=validate.Length(1, 1000))
    corrected = fields.String(
        allow_none=True,
        validate=validate.Length(max=2000),
        metadata=_said("upheld: the right value; absent: what the challenger believes; null empties the field"),
    )


class ErasureShape(Strict):
    """Whose data are to be erased."""

    record_type = fields.String(required=True)
    ground = fields.String(
        required=True, validate=validate.Length(1, 1000), metadata=_said("law, request of the person")
    )
    record_key = fields.String(load_default=None, metadata=_said("one record, hex"))
    uscc = fields.String(load_default=None, metadata=_said("records of one entity"))
    values = fields.Dict(
        keys=fields.String(),
        values=fields.String(validate=validate.Length(1, 200)),
        load_default=dict,
        metadata=_said("personal field -> value by which the person is known"),
    )
    fields_ = fields.List(
        fields.String(),
        data_key="fields",
        attribute="fields",
        load_default=list,
        metadata=_said("the person's fields; absent: all"),
    )


class NotificationQuery(Strict):
    """Which stretch of the mailbox."""

    after = fields.Integer(load_default=0, validate=validate.Range(0, MAX_ID), metadata=_said("Xinqiao-Next of before"))
    limit = fields.Integer(load_default=100, validate=validate.Range(1, 1000))


class CertificateRequest(Strict):
    """A certificate signing request of the calling system."""

    csr = fields.String(required=True, validate=validate.Length(1, MAX_CSR), metadata=_said("PKCS #10, PEM"))


class NewCertificateRequest(Strict):
    """A certificate signing request for a system that cannot come itself yet, or for a person."""

    holder = fields.String(
        required=True, validate=validate.Length(1, 300), metadata=_said("urn:xinqiao:<agency>:<system>")
    )
    csr = fields.String(required=True, validate=validate.Length(1, MAX_CSR), metadata=_said("PKCS #10, PEM"))
    title = fields.String(load_default="", validate=validate.Length(0, 200), metadata=_said("for a new holder"))
    days = fields.Integer(
        load_default=None, allow_none=True, validate=validate.Range(1, 365), metadata=_said("of validity; default 365")
    )


class RequestQuery(Strict):
    """Which requests for certificates are listed."""

    status = fields.String(
        load_default=None, validate=validate.OneOf(("waiting", "approved", "issued", "refused", "withdrawn"))
    )


class ExpiryQuery(Strict):
    """How far ahead the expiry board looks."""

    days = fields.Integer(load_default=90, validate=validate.Range(0, 36_500), metadata=_said("days ahead"))


class Approval(Strict):
    """What was compared before a request was approved."""

    key_sha256 = fields.String(
        required=True,
        validate=validate.Length(1, 200),
        metadata=_said("fingerprint of the public key as the agency said it on another way"),
    )


class Revocation(Strict):
    """Why a certificate is revoked."""

    reason = fields.String(
        required=True, validate=validate.OneOf(REVOCATION_REASONS), metadata=_said("RFC 5280, 5.3.1")
    )
