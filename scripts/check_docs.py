"""Docs match code: what the code has is described, and what is described exists.

Prints each mismatch with file and next step and ends with 1; silent and 0 when there is none.
Nothing here opens a connection; a throw-away home is made to ask the application for its addresses.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path

import click

from certs.errors import CertsError
from connectors.errors import XinqiaoError
from connectors.registry import sources
from gateway import __version__
from gateway.access.errors import NotGranted
from gateway.api import problems
from gateway.api.app import create_app
from gateway.cli.root import VERBS, cli
from gateway.home import initialise
from gateway.settings import Settings
from schemas.derived import dictionary

ROOT = Path(__file__).resolve().parents[1]
READMES = ("README.md", "README.zh-CN.md")
RUNNING = "docs/operations/running.md"
DICTIONARY = "docs/data-dictionary.md"

Docs = Mapping[str, str]
"""Path below the root -> text, of every page that is held against the code."""

_FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"`([^`\n]+)`")
_FILE = re.compile(
    r"(?:gateway|certs|connectors|schemas|dags|scripts|tests|docs)/[\w./-]*\w\.(?:py|md|yml|sh|csv|wsdl|xsd)"
)
_TEST = re.compile(r"\b(tests/[\w/]+\.py)::(test_\w+)")
_LINK = re.compile(r"\]\(([^)#\s]*)(#[^)\s]+)?\)")


def read_docs(root: Path = ROOT) -> dict[str, str]:
    """Every page: the READMEs, the changes, and all of ``docs/``."""
    pages = [*(root / name for name in READMES), root / "CHANGELOG.md", *sorted((root / "docs").rglob("*.md"))]
    return {page.relative_to(root).as_posix(): page.read_text("utf-8") for page in pages if page.exists()}


def mismatches(docs: Docs, root: Path = ROOT) -> list[str]:
    """Every mismatch: file, what does not agree, and the next step."""
    if missing := [name for name in (*READMES, RUNNING, DICTIONARY, "CHANGELOG.md") if name not in docs]:
        return [f"{name}: is missing; write it" for name in missing]
    return [
        *verbs(docs),
        *settings(docs),
        *source_tables(docs),
        *make_targets(docs, root),
        *addresses(docs),
        *error_codes(docs),
        *names(docs, root),
        *named_tests(docs, root),
        *links(docs, root),
        *both_languages(docs),
        *generated(docs),
    ]


def verbs(docs: Docs) -> Iterator[str]:
    """Every verb is in both READMEs; every verb and option that a page shows exists."""
    known = {verb: _words(cli, verb) for verb in VERBS}
    for page in READMES:
        for verb in sorted(VERBS):
            if not re.search(rf"xinqiao {verb}\b", docs[page]):
                yield f"{page}: `xinqiao {verb}` is not described; add it to the table of the command line"
    for page, text in docs.items():
        for line in _commands(text):
            for verb, rest in re.findall(r"(?:^|[\s(|])xinqiao ([a-z][a-z-]*)([^|&;`]*)", line):
                if verb not in known:
                    yield f"{page}: `xinqiao {verb}` does not exist; verbs: {', '.join(sorted(VERBS))}"
                    continue
                for option in re.findall(r"(?<=\s)(--[a-z][a-z0-9-]*)", rest):
                    if option not in known[verb]:
                        yield f"{page}: `xinqiao {verb}` has no option {option}; see `xinqiao {verb} --help`"
                sub = re.match(r" ([a-z][a-z-]+)(?=\s|$)", rest)
                if sub and _subcommands(cli, verb) and sub[1] not in _subcommands(cli, verb):
                    yield f"{page}: `xinqiao {verb} {sub[1]}` does not exist; see `xinqiao {verb} --help`"


def settings(docs: Docs) -> Iterator[str]:
    """Every setting stands in both READMEs with its default."""
    for page in READMES:
        rows = dict(re.findall(r"^\| `(XINQIAO_\w+)` \| ([^|]*?) \|", docs[page], re.MULTILINE))
        for field in fields(Settings):
            name, default = f"XINQIAO_{field.name.upper()}", str(field.default)
            said = rows.get(name)
            if said is None:
                yield f"{page}: setting {name} is not in the table of the configuration; add it"
            elif said.strip("`") != default and (default or said not in ("empty", "空")):
                yield f"{page}: {name} is said to be {said!r}; its default is {default!r}"


def source_tables(docs: Docs) -> Iterator[str]:
    """The table of the sources is the folders, no more and no less."""
    wanted = {
        name: (spec.transport, spec.delivery, spec.record_type, spec.title_zh) for name, spec in sources().items()
    }
    for page in READMES:
        rows = re.findall(
            r"^\| `([a-z_]+/[a-z_]+)` \| ([^|]*) \| (\w+) \| (\w+) \| `(\w+)` \|$", docs[page], re.MULTILINE
        )
        found = {name: (transport, delivery, kind, what) for name, what, transport, delivery, kind in rows}
        for name in sorted(wanted.keys() | found.keys()):
            if name not in found:
                yield f"{page}: source {name} is not in the table of the sources; add it"
            elif name not in wanted:
                yield f"{page}: source {name} has no folder under connectors/agencies; take it out"
            elif found[name][:3] != wanted[name][:3] or wanted[name][3] not in found[name][3]:
                yield f"{page}: source {name} is {wanted[name]}, the table says {found[name]}"


def make_targets(docs: Docs, root: Path = ROOT) -> Iterator[str]:
    """Every target is in both READMEs, and every target a page names exists."""
    makefile = (root / "Makefile").read_text("utf-8")
    known = set(re.findall(r"^([a-z-]+):.*##", makefile, re.MULTILINE))
    for page in READMES:
        for target in sorted(known):
            if f"`make {target}`" not in docs[page]:
                yield f"{page}: `make {target}` is not described; add it to the table of the targets"
    for page, text in docs.items():
        for line in _commands(text):
            for target in re.findall(r"^\s*(?:\$ )?make ([a-z-]+)", line, re.MULTILINE):
                if target not in known:
                    yield f"{page}: `make {target}` is no target; targets: {', '.join(sorted(known))}"


def addresses(docs: Docs) -> Iterator[str]:
    """Every address of the application is in both READMEs, and every address a page names is one."""
    known = application_addresses()
    shapes = {"/v1/openapi.json", *(re.sub(r"\{\w+\}", "{}", address) for _, address in known)}
    for page in READMES:
        said = set(re.findall(r"`(GET|POST|PUT|DELETE) (/[^`?]*)`", docs[page]))
        for method, address in sorted(known - said):
            yield f"{page}: {method} {address} is not described; add it to the table of the addresses"
        for method, address in sorted(said - known):
            yield f"{page}: {method} {address} is no address of the application; correct or take it out"
    for page, text in docs.items():
        for address in re.findall(r"(?<![\w.])/v1/[\w{}/.-]+", " ".join(_commands(text))):
            # The name of a source is its agency's and its own; a concrete address stands for its template.
            whole = address.replace("/sources/{source}/", "/sources/{agency}/{source}/")
            if not any(re.fullmatch(re.escape(shape).replace(r"\{\}", r"[^/]+"), whole) for shape in shapes):
                yield f"{page}: {address} is no address of the application; correct it"


def application_addresses() -> set[tuple[str, str]]:
    """Method and path, parameters in braces, of everything but the SOAP face and the contract itself."""
    with tempfile.TemporaryDirectory() as folder:
        own = Settings(home=Path(folder))
        initialise(own, datetime.now(UTC))
        rules = list(create_app(own).url_map.iter_rules())
    return {
        (method, re.sub(r"<(?:\w+(?:\([^)]*\))?:)?(\w+)>", r"{\1}", rule.rule))
        for rule in rules
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if not rule.rule.startswith("/soap") and not rule.rule.endswith("openapi.json")
    }


def error_codes(docs: Docs) -> Iterator[str]:
    """The table of the runbook has every code there is, each with the status it is answered with."""
    known = known_codes()
    said = dict(re.findall(r"^\| `(\w+)` \| (\d{3}) \|", docs[RUNNING], re.MULTILINE))
    for code in sorted(known.keys() | said.keys()):
        if code not in said:
            yield f"{RUNNING}: error code {code} is not in the table; say what it means and what to do"
        elif code not in known:
            yield f"{RUNNING}: error code {code} does not exist; take it out"
        elif int(said[code]) != known[code]:
            yield f"{RUNNING}: {code} is answered with {known[code]}, the table says {said[code]}"


def known_codes() -> dict[str, int]:
    """Every stable code with its HTTP status."""
    # The table of sentences is nobody's interface but the one place where these codes stand.
    codes = {code: status for status, (code, _, _) in problems._SAID.items()}
    codes[problems._INTERNAL[0]] = 500
    for kind in (*_family(XinqiaoError), *_family(CertsError)):
        # A class without a code of its own is told apart by what its instances carry.
        if "code" in vars(kind):
            codes[kind.code] = problems.status_of(kind)
    for code in re.findall(r"``(\w+)``", (NotGranted.__doc__ or "").partition("Codes:")[2]):
        codes[code] = problems.status_of(NotGranted)
    return codes


def names(docs: Docs, root: Path = ROOT) -> Iterator[str]:
    """Files and environment variables that a page names exist."""
    code = "\n".join(
        file.read_text("utf-8")
        for folder in ("gateway", "certs", "connectors", "schemas", "dags", "scripts")
        for file in sorted((root / folder).rglob("*"))
        if file.suffix in (".py", ".sh") and file.is_file()
    )
    known = {f"XINQIAO_{field.name.upper()}" for field in fields(Settings)} | set(
        re.findall(r"XINQIAO_[A-Z_]+\b", code)
    )
    for page, text in docs.items():
        for span in _CODE.findall(_FENCE.sub("", text)):
            for file in _FILE.findall(span):
                if not (root / file).exists():
                    yield f"{page}: names `{file}`, which does not exist; correct the path"
        for variable in sorted(set(re.findall(r"XINQIAO_[A-Z_]+\b", text)) - known):
            yield f"{page}: {variable} is no setting and nothing reads it; correct it"


def named_tests(docs: Docs, root: Path = ROOT) -> Iterator[str]:
    """A test that a page names, ``tests/...py::test_...``, is one; pages say what is held by which test."""
    for page, text in docs.items():
        for file, test in _TEST.findall(text):
            if not (root / file).exists() or not re.search(rf"^def {test}\(", (root / file).read_text("utf-8"), re.M):
                yield f"{page}: names {file}::{test}, which is no test; name the one that shows it"


def links(docs: Docs, root: Path = ROOT) -> Iterator[str]:
    """Links between the pages lead somewhere, to the section too."""
    for page, text in docs.items():
        for target, section in _LINK.findall(_FENCE.sub("", text)):
            if "://" in target:
                continue
            file = (root / page).parent / target if target else root / page
            if not file.exists():
                yield f"{page}: link to {target} leads nowhere; correct it"
            elif section and file.suffix == ".md" and section[1:] not in anchors(file.read_text("utf-8")):
                yield f"{page}: {target}{section} is no section there; correct it"


def anchors(text: str) -> set[str]:
    """Names by which sections can be linked: of headings, as GitHub makes them, and of ``<a id>``."""
    titles = re.findall(r"^#+ (.+)$", _FENCE.sub("", text), re.MULTILINE)
    made = {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}
    return made | set(re.findall(r'<a id="([^"]+)"', text))


def both_languages(docs: Docs) -> Iterator[str]:
    """Both READMEs have the same sections, tables as long, and the same examples but for comments."""
    english, chinese = (_parts(docs[page]) for page in READMES)
    for number, (ours, theirs) in enumerate(zip_longest(english, chinese), start=1):
        if ours != theirs:
            yield (
                f"{READMES[1]}: part {number} should correspond to {_gist(ours)}, it is {_gist(theirs)}; "
                "both READMEs say the same in the same order"
            )
            return


def _parts(text: str) -> list[tuple[str, str]]:
    """Headings by level, fenced blocks by content without comments and prose, tables by their number of rows."""
    parts: list[tuple[str, str]] = []
    for match in re.finditer(r"^(```(\w*)\n(.*?)^```)|^(#+) |^(\|[^\n]*\n)+", text, re.DOTALL | re.MULTILINE):
        fence, language, block, heading = match[1], match[2], match[3], match[4]
        if heading:
            parts.append(("heading", heading))
        elif not fence:
            parts.append(("table", f"{len(match[0].splitlines())} rows"))
        else:
            # A block without a language is a picture or a tree, whose words are translated.
            parts.append(("block", language and re.sub(r"\s+#.*", "", block)))
    return parts


def generated(docs: Docs) -> Iterator[str]:
    """The data dictionary is what the schemas say now; the newest version of the changes is this one."""
    if docs[DICTIONARY] != dictionary():
        yield f"{DICTIONARY}: is not what the schemas say; run `python -m schemas.derived_dictionary`"
    newest = re.search(r"^## (\S+)", docs["CHANGELOG.md"], re.MULTILINE)
    if newest is None or newest[1] != __version__:
        yield f"CHANGELOG.md: its newest section should be {__version__}; say there what is new"


def _commands(text: str) -> list[str]:
    """What a page shows as code: fenced lines, continued ones joined, and spans."""
    fenced = "\n".join(_FENCE.findall(text)).replace("\\\n", " ")
    return [*fenced.splitlines(), *_CODE.findall(_FENCE.sub("", text))]


def _words(root: click.Group, verb: str) -> set[str]:
    """Every option of a verb and of its subcommands."""
    command = root.get_command(click.Context(root), verb)
    if command is None:
        return set()
    below = command.commands.values() if isinstance(command, click.Group) else ()
    return {"--help"} | {name for c in (command, *below) for option in c.params for name in option.opts}


def _subcommands(root: click.Group, verb: str) -> set[str]:
    command = root.get_command(click.Context(root), verb)
    return set(command.commands) if isinstance(command, click.Group) else set()


def _family(root: type[XinqiaoError] | type[CertsError]) -> Iterator[type[XinqiaoError] | type[CertsError]]:
    yield root
    for kind in root.__subclasses__():
        yield from _family(kind)


def _gist(part: tuple[str, str] | None) -> str:
    return "nothing" if part is None else f"{part[0]} {' '.join(part[1].split())[:60]!r}"


def main() -> int:
    """Print every mismatch; 1 if there is one."""
    found: Iterable[str] = mismatches(read_docs())
    for mismatch in found:
        print(mismatch)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
