"""``python -m tests.fuzz TARGET SECONDS FOLDER``: one target under a coverage-guided fuzzer; alone, all names.

The corpus grows in ``FOLDER/TARGET`` and goes on from there next time; what broke lies beside it as ``crash-*``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris


def main(name: str, seconds: str, folder: str) -> None:
    """Fuzz until the time is over or something breaks; ends the process."""
    with atheris.instrument_imports(include=["certs", "gateway", "connectors.decode", "schemas.canonical"]):
        from tests.fuzz.targets import TARGETS  # imported here, or nothing of it would be instrumented
    corpus = Path(folder) / name
    corpus.mkdir(parents=True, exist_ok=True)
    with TARGETS[name].open() as made:
        for number, seed in enumerate(made.seeds):
            (corpus / f"seed-{number}").write_bytes(seed)
        atheris.Setup(
            [
                "fuzz",
                str(corpus),
                f"-max_total_time={seconds}",
                f"-artifact_prefix={folder}/{name}-",
                "-rss_limit_mb=4096",
                "-timeout=60",
                "-max_len=8192",
                "-print_final_stats=1",
            ],
            made.run,
        )
        atheris.Fuzz()


def names() -> str:
    """Every target, a line each."""
    from tests.fuzz.targets import TARGETS  # imported here, or `main` could not instrument it

    return "\n".join(TARGETS)


if __name__ == "__main__":
    if sys.argv[1:]:
        main(*sys.argv[1:])
    else:
        print(names())  # noqa: T201  # the answer for the Makefile
