"""Who must have cosigned a checkpoint before it is believed (c2sp.org/tlog-policy): witnesses, groups, the quorum."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gateway.audit.cosignatures import cosignatures
from gateway.audit.notes import LOG_KEY, WITNESS_KEY, NoteError, Verifier, parse_vkey

_NONE = "none"
_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f]")


class PolicyError(ValueError):
    """A policy file that cannot be read as one."""


@dataclass(frozen=True)
class Witness:
    """One witness of a policy.

    Attributes:
        name: inside the policy only.
        verifier: its public key, of type `gateway.audit.notes.WITNESS_KEY`.
        url: its submission prefix (tlog-witness); empty if it is not asked.
    """

    name: str
    verifier: Verifier
    url: str = ""


@dataclass(frozen=True)
class Group:
    """Counts as having witnessed when at least ``required`` of its members have."""

    required: int
    members: tuple[str, ...]


@dataclass(frozen=True)
class Policy:
    """What a checkpoint must show.

    Attributes:
        logs: public keys that are accepted; none if the log is known otherwise.
        witnesses: by name.
        groups: by name.
        quorum: name of a witness or group, or ``none``.
    """

    logs: tuple[Verifier, ...] = ()
    witnesses: Mapping[str, Witness] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    quorum: str = _NONE

    def is_met_by(self, cosigned: Iterable[Verifier]) -> bool:
        """Whether these witnesses are a quorum."""
        keys = set(cosigned)
        witnessed = {name for name, witness in self.witnesses.items() if witness.verifier in keys}
        # A group names only what was defined before it, so one pass in order of definition is enough.
        for name, group in self.groups.items():
            if len(witnessed.intersection(group.members)) >= group.required:
                witnessed.add(name)
        return self.quorum == _NONE or self.quorum in witnessed

    def demand(self, note: str) -> tuple[str, ...]:
        """The names of the witnesses that cosigned a checkpoint, if they are a quorum.

        Raises:
            NoteError: they are not, or a cosignature of one of them is false.
        """
        by_key = {witness.verifier: name for name, witness in self.witnesses.items()}
        cosigned = cosignatures(note, by_key)
        names = tuple(sorted(by_key[verifier] for verifier in cosigned))
        if not self.is_met_by(cosigned):
            raise NoteError(f"the quorum {self.quorum} is not met: cosigned by {', '.join(names) or 'no witness'}")
        return names


def at_least(required: int, witnesses: Iterable[Verifier]) -> Policy:
    """The policy *k of n*.

    Raises:
        PolicyError: more are required than there are, or none.
    """
    named = {f"w{number}": Witness(f"w{number}", one) for number, one in enumerate(witnesses, start=1)}
    if not 1 <= required <= len(named):
        raise PolicyError(f"expected between 1 and {len(named)} required witnesses, got {required}")
    return Policy((), named, {"all": Group(required, tuple(named))}, "all")


def read_policy(path: Path) -> Policy:
    """Read a policy file.

    Raises:
        OSError: it cannot be read.
        PolicyError: it is no policy; names the line.
    """
    try:
        return parse_policy(path.read_text("utf-8"))
    except UnicodeDecodeError as error:
        raise PolicyError(f"{path}: not UTF-8") from error
    except PolicyError as error:
        raise PolicyError(f"{path}: {error}") from error


def parse_policy(text: str) -> Policy:
    """Read a policy.

    Raises:
        PolicyError: names the line and what is wrong with it.
    """
    draft = _Draft()
    for number, line in enumerate(text.split("\n"), start=1):
        words = line.replace("\t", " ").split(" ")
        items = [word for word in words if word]
        if not items or items[0].startswith("#"):
            continue
        try:
            draft.take(line, items)
        except (NoteError, PolicyError) as error:
            raise PolicyError(f"line {number}: {error}") from error
    if draft.quorum is None:
        raise PolicyError("expected a line `quorum <name>`, got none")
    return Policy(tuple(draft.logs), draft.witnesses, draft.groups, draft.quorum)


class _Draft:
    """A policy while its lines are read."""

    def __init__(self) -> None:
        self.logs: list[Verifier] = []
        self.witnesses: dict[str, Witness] = {}
        self.groups: dict[str, Group] = {}
        self.quorum: str | None = None
        self._members: set[str] = set()

    def take(self, line: str, items: list[str]) -> None:
        if _FORBIDDEN.search(line):
            raise PolicyError("control characters are not allowed")
        kinds: dict[str, Callable[[list[str]], None]] = {
            "log": self._log,
            "witness": self._witness,
            "group": self._group,
            "quorum": self._quorum,
        }
        if items[0] not in kinds:
            raise PolicyError(f"expected one of {', '.join(kinds)}, got {items[0]!r}")
        kinds[items[0]](items[1:])

    def _log(self, items: list[str]) -> None:
        _count(items, 1, 2, "log <vkey> [<url>]")
        verifier = parse_vkey(items[0], LOG_KEY)
        if verifier.public_key in {one.public_key for one in self.logs}:
            raise PolicyError("the same log key twice")
        self.logs.append(verifier)

    def _witness(self, items: list[str]) -> None:
        _count(items, 2, 3, "witness <name> <vkey> [<url>]")
        verifier = parse_vkey(items[1], WITNESS_KEY)
        if verifier.public_key in {one.verifier.public_key for one in self.witnesses.values()}:
            raise PolicyError("the same witness key twice")
        self.witnesses[self._new(items[0])] = Witness(items[0], verifier, items[2] if len(items) == 3 else "")

    def _group(self, items: list[str]) -> None:
        _count(items, 3, None, "group <name> all|any|<k> <name>...")
        name, rule, *members = items
        if len(set(members)) != len(members) or self._members.intersection(members):
            raise PolicyError("a name is a member at most once")
        if unknown := [member for member in members if member not in self.witnesses and member not in self.groups]:
            raise PolicyError(f"not defined before: {', '.join(unknown)}")
        required = {"all": len(members), "any": 1}.get(rule) or (int(rule) if rule.isascii() and rule.isdigit() else 0)
        if not 1 <= required <= len(members):
            raise PolicyError(f"expected all, any or a number from 1 to {len(members)}, got {rule!r}")
        self.groups[self._new(name)] = Group(required, tuple(members))
        self._members.update(members)

    def _quorum(self, items: list[str]) -> None:
        _count(items, 1, 1, "quorum <name>")
        if self.quorum is not None:
            raise PolicyError("a second quorum line")
        if items[0] != _NONE and items[0] not in self.witnesses and items[0] not in self.groups:
            raise PolicyError(f"not defined before: {items[0]}")
        self.quorum = items[0]

    def _new(self, name: str) -> str:
        if name == _NONE or name in self.witnesses or name in self.groups:
            raise PolicyError(f"the name {name!r} is taken")
        return name


def _count(items: list[str], least: int, most: int | None, form: str) -> None:
    if len(items) < least or (most is not None and len(items) > most):
        raise PolicyError(f"expected `{form}`")
