"""The names certificates carry: ``urn:xinqiao:<agency>:<system>`` and ``urn:xinqiao:person:<name>``.

A name stands in the subject alternative name as a URI. A person's duty follows as an RFC 8141
q-component, ``urn:xinqiao:person:zhang.san?=duty=auditor``; it qualifies the name, it is not part of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

PREFIX = "urn:xinqiao:"
PART = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
# An agency may not be called so: the second part of the URN tells persons and systems apart.
PERSON = "person"

# The three duties that no one person may combine (三员), and the administrators of one agency.
SYSTEM_ADMINISTRATOR, SECURITY_ADMINISTRATOR, AUDITOR = "system_administrator", "security_administrator", "auditor"
AGENCY_ADMINISTRATOR = "agency_administrator"
DUTIES = (SYSTEM_ADMINISTRATOR, SECURITY_ADMINISTRATOR, AUDITOR, AGENCY_ADMINISTRATOR)


@dataclass(frozen=True)
class SystemName:
    """A system of an agency."""

    agency: str
    system: str

    def __post_init__(self) -> None:
        _demand(self.agency != PERSON, f"agency may not be {PERSON!r}, which stands for people")
        for part in (self.agency, self.system):
            _demand(PART.fullmatch(part) is not None, f"expected {PART.pattern}, got {part!r}")

    @property
    def urn(self) -> str:
        """Who it is, the same for every certificate of this system."""
        return f"{PREFIX}{self.agency}:{self.system}"

    @property
    def uri(self) -> str:
        """What stands in the certificate."""
        return self.urn


@dataclass(frozen=True)
class PersonName:
    """A person with one duty; ``agency`` is set for agency administrators and empty for all others."""

    person: str
    duty: str
    agency: str = ""

    def __post_init__(self) -> None:
        for part in (self.person, self.agency or "none"):
            _demand(PART.fullmatch(part) is not None, f"expected {PART.pattern}, got {part!r}")
        _demand(self.duty in DUTIES, f"expected a duty of {list(DUTIES)}, got {self.duty!r}")
        _demand(
            bool(self.agency) == (self.duty == "agency_administrator"),
            f"an agency is named for agency administrators and nobody else, got {self.duty!r} of {self.agency!r}",
        )

    @property
    def urn(self) -> str:
        """Who it is, without the duty."""
        return f"{PREFIX}{PERSON}:{self.person}"

    @property
    def uri(self) -> str:
        """What stands in the certificate: the name with its duty (RFC 8141, 2.3.2)."""
        qualifiers = {"duty": self.duty} | ({"agency": self.agency} if self.agency else {})
        return f"{self.urn}?={urlencode(qualifiers)}"


Name = SystemName | PersonName


def parse_uri(uri: str) -> Name:
    """Read a name back from a certificate; only the exact form that ``.uri`` writes is taken.

    Raises:
        ValueError: not a name of this exchange.

    >>> parse_uri("urn:xinqiao:customs:h2018")
    SystemName(agency='customs', system='h2018')
    """
    urn, _, query = uri.partition("?=")
    parts = urn.removeprefix(PREFIX).split(":")
    _demand(urn.startswith(PREFIX) and len(parts) == 2, f"expected {PREFIX}<agency>:<system>, got {uri!r}")
    name: Name
    if parts[0] == PERSON:
        qualifiers = dict(parse_qsl(query))
        name = PersonName(parts[1], qualifiers.get("duty", ""), qualifiers.get("agency", ""))
    else:
        name = SystemName(parts[0], parts[1])
    # One spelling per name: a second spelling of the same one would slip past comparisons elsewhere.
    _demand(name.uri == uri, f"expected the spelling {name.uri!r}, got {uri!r}")
    return name


def _demand(holds: bool, problem: str) -> None:
    if not holds:
        raise ValueError(problem)
