"""The fields record types are made of: text in, typed value out, faults in two languages."""

from schemas.fields.base import MASK, SENSITIVITIES, SharedField
from schemas.fields.codes import Code, Codes, CodeTable, IndustryCode, code_table
from schemas.fields.dates import FOREVER, AtInstant, OnDate
from schemas.fields.identifiers import (
    CustomsCode,
    FoodLicenceNo,
    Gtin,
    HsCode,
    Identifier,
    OrganisationCode,
    RegionCode,
    RegistrationNo,
    TaxpayerNo,
    Uscc,
)
from schemas.fields.numbers import Amount, Count, Quantity, YesNo, plain_decimal
from schemas.fields.texts import EntityName, Text

__all__ = [
    "FOREVER",
    "MASK",
    "SENSITIVITIES",
    "Amount",
    "AtInstant",
    "Code",
    "CodeTable",
    "Codes",
    "Count",
    "CustomsCode",
    "EntityName",
    "FoodLicenceNo",
    "Gtin",
    "HsCode",
    "Identifier",
    "IndustryCode",
    "OnDate",
    "OrganisationCode",
    "Quantity",
    "RegionCode",
    "RegistrationNo",
    "SharedField",
    "TaxpayerNo",
    "Text",
    "Uscc",
    "YesNo",
    "code_table",
    "plain_decimal",
]
