"""Delivering a file by upload: the bytes go to the vault first, then the one way through."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from connectors.delivery import Delivery, Part
from connectors.registry import sources
from connectors.spec import SourceSpec
from gateway import pipeline
from gateway.access.context import Context
from gateway.access.errors import Invalid, NotFound, NotYours
from gateway.signatures.admission import Presented

MAX_NAME_LENGTH = 255


@dataclass(frozen=True)
class Upload:
    """What a system hands over.

    Attributes:
        source: ``<agency>/<source>``.
        name: what the agency calls the file, as sent; it is kept as a label, never used as a path.
        media_type: as declared.
        chunks: the bytes, in order; read once.
        signature: what was presented as a signature on them, made once they are kept; None if nothing was.
    """

    source: str
    name: str
    media_type: str
    chunks: Iterable[bytes]
    signature: Callable[[Part], Presented] | None = None


@dataclass(frozen=True)
class Delivered:
    """What came of an upload.

    Attributes:
        receipt: of the delivery; if these bytes had been delivered before, the first one's.
        is_repeat: whether they had.
    """

    receipt: dict[str, Any]
    is_repeat: bool


def deliver_upload(context: Context, upload: Upload) -> Delivered:
    """Keep the bytes, land them, and give the receipt.

    Raises:
        Invalid: there is not one byte.
        NotFound: no such source.
        NotYours: the source belongs to another agency than the caller.
        SignatureRefused: a signature is missing or does not hold; nothing was landed, the bytes are kept.
        Undecodable, SourceChanged, ExpectationFailed: nothing was landed; the bytes are kept.
    """
    spec = own_source(context, upload.source)
    part = context.vault.keep(_label(upload.name), upload.media_type, upload.chunks)
    if part.size == 0:
        raise Invalid("请求正文为空，没有可报送的内容。", "The body is empty; there is nothing to deliver.")
    delivery = Delivery(
        source=spec.source,
        parts=(part,),
        origin=f"upload:{context.caller.urn}",
        received_at=context.now,
    )
    presented = upload.signature(part) if upload.signature else None
    delivery_id = pipeline.receive(context.store, delivery, spec, presented)
    # The processes that answer requests are as many as the operator allows; one upload does not multiply them.
    receipt = pipeline.deliver(context.store, delivery_id, spec, context.now, processes=1)
    return Delivered(receipt, is_repeat=receipt["delivery_id"] != delivery_id)


def _label(name: str) -> str:
    # Only what stands behind the last separator: some clients send the path on their own disk.
    last = PureWindowsPath(PurePosixPath(name).name).name
    return "".join(char for char in last if char.isprintable())[:MAX_NAME_LENGTH] or "upload"


def own_source(context: Context, name: str) -> SourceSpec:
    """The source of this name, if the caller's agency provides it.

    Raises:
        NotFound: no such source.
        NotYours: it is another agency's.
    """
    spec = sources().get(name)
    if spec is None:
        raise NotFound(f"没有数据源“{name}”。", f"There is no source '{name}'.", source=name)
    if context.caller.agency != spec.agency:
        raise NotYours(
            f"数据源 {name} 属于 {spec.agency}，不属于 {context.caller.urn}。",
            f"Source {name} belongs to {spec.agency}, not to {context.caller.urn}.",
            source=name,
        )
    return spec
