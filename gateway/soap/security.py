"""The WS-Security signature of a SOAP message, as a delivery takes it in."""

from __future__ import annotations

from collections.abc import Callable

from lxml import etree

from certs.signed import soap
from certs.signed.proof import FindKey, Verified
from connectors.delivery import Part
from gateway.access.context import Context
from gateway.signatures.admission import Presented, max_age


def of_message(asked: etree._Element, context: Context) -> Callable[[Part], Presented] | None:
    """The signature over the Body in which ``asked`` stands, or None; it is verified once the file is kept."""
    body = asked.getparent()
    envelope = None if body is None else body.getparent()
    if body is None or envelope is None:
        return None
    block = soap.signature_of(envelope.find(f"{{{etree.QName(body).namespace}}}Header"))
    if block is None:
        return None
    # The header alone: the Body is the file once more, and who is erased from there must not stay here.
    kept = etree.tostring(block, with_tail=False)

    def present(_: Part) -> Presented:
        def prove(find: FindKey) -> Verified:
            return soap.verify(body, find, context.now, max_age(context.store.settings))

        evidence = context.vault.keep("signature.wss.xml", "text/xml", [kept])
        return Presented(soap.FORM, prove, evidence, context.caller.urn)

    return present
