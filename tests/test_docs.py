"""``scripts/check_docs.py`` finds what it is there to find, and finds nothing in the pages as they are."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from gateway import __version__

SCRIPT = Path(__file__).parents[1] / "scripts" / "check_docs.py"

Docs = dict[str, str]


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_docs", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


check = load_script()
README, CHINESE, RUNNING = "README.md", "README.zh-CN.md", "docs/operations/running.md"
SECURITY = "docs/security.md"


@pytest.fixture
def docs() -> Docs:
    pages: Docs = check.read_docs()
    return pages


def test_the_pages_match_the_code(docs: Docs) -> None:
    assert check.mismatches(docs) == []


def test_a_missing_page_is_said_first(docs: Docs) -> None:
    del docs[RUNNING]

    assert check.mismatches(docs) == [f"{RUNNING}: is missing; write it"]


# What is changed in which page, which check finds it, and what it says.
CASES: list[tuple[str, str, str, Callable[[Docs], Iterator[str]], str]] = [
    (README, "`xinqiao identify`", "`identify`", check.verbs, ""),
    (
        README,
        "`xinqiao bench`",
        "`xinqiao bench` `xinqiao fly`",
        check.verbs,
        "README.md: `xinqiao fly` does not exist",
    ),
    (RUNNING, "deliveries --limit", "deliveries --most", check.verbs, "`xinqiao deliveries` has no option --most"),
    (
        README,
        "xinqiao quarantine list",
        "xinqiao quarantine show-all",
        check.verbs,
        "`xinqiao quarantine show-all` does not",
    ),
    (README, "| `XINQIAO_PORT` | `8443`", "| `XINQIAO_PORT` | `443`", check.settings, "its default is '8443'"),
    (CHINESE, "| `XINQIAO_THREADS` |", "| `THREADS` |", check.settings, "setting XINQIAO_THREADS is not in the table"),
    (README, "| `customs/registrations` |", "| `customs/all` |", check.source_tables, "customs/all has no folder"),
    (
        README,
        "rest | snapshot | `credit_listing`",
        "rest | changes | `credit_listing`",
        check.source_tables,
        "the table says",
    ),
    (README, "`make lock`", "`make locks`", check.make_targets, "README.md: `make lock` is not described"),
    (RUNNING, "`make setup`", "`make ready`", check.make_targets, "`make ready` is no target"),
    (README, "`GET /v1/catalogue`", "`GET /v1/catalog`", check.addresses, "GET /v1/catalog is no address"),
    (RUNNING, "`POST /v1/certificates`", "`POST /v1/certs`", check.addresses, "/v1/certs is no address"),
    (RUNNING, "| `conflict` | 409 |", "| `conflict` | 410 |", check.error_codes, "conflict is answered with 409"),
    (RUNNING, "| `grant_expired` |", "| `grant_over` |", check.error_codes, "error code grant_over does not exist"),
    (README, "`gateway/pipeline.py`", "`gateway/pipelines.py`", check.names, "names `gateway/pipelines.py`"),
    (RUNNING, "XINQIAO_CA_PASSPHRASE", "XINQIAO_CA_PASS", check.names, "XINQIAO_CA_PASS is no setting"),
    (
        SECURITY,
        "::test_tls_below_1_2_gets_no_handshake",
        "::test_tls_is_good",
        check.named_tests,
        "docs/security.md: names tests/gateway/server/test_openssl_client.py::test_tls_is_good, which is no test",
    ),
    (SECURITY, "server/test_openssl_client.py::", "server/openssl.py::", check.named_tests, "which is no test"),
    (README, "(docs/sources.md)", "(docs/source.md)", check.links, "link to docs/source.md leads nowhere"),
    (RUNNING, "README.md#where-data-lives", "README.md#where", check.links, "#where is no section there"),
    (CHINESE, "## 测速", "### 测速", check.both_languages, "README.zh-CN.md: part "),
    (CHINESE, "xinqiao serve &\n", "xinqiao serve\n", check.both_languages, "README.zh-CN.md: part "),
    ("CHANGELOG.md", f"## {__version__}", "## 0.0.9", check.generated, f"its newest section should be {__version__}"),
    ("docs/data-dictionary.md", "`registration`", "`registry`", check.generated, "is not what the schemas say"),
]


@pytest.mark.parametrize(
    ("page", "old", "new", "find", "said"), CASES, ids=[f"{case[0]}-{number}" for number, case in enumerate(CASES)]
)
def test_a_page_that_differs_from_the_code_is_named(
    docs: Docs, page: str, old: str, new: str, find: Callable[[Docs], Iterator[str]], said: str
) -> None:
    before = list(find(docs))
    assert old in docs[page]
    docs[page] = docs[page].replace(old, new)

    found = [mismatch for mismatch in find(docs) if mismatch not in before]

    assert found if said else not found
    assert all(": " in mismatch for mismatch in found)
    assert any(said in mismatch for mismatch in found) or not said
