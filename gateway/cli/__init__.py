"""The command line ``xinqiao``: one module per group of verbs, loaded only when the verb is used."""

from __future__ import annotations


def main() -> None:
    """Entry point of the ``xinqiao`` command."""
    from gateway.cli.root import (
        cli,  # Loaded late: the entry point's module is imported by every tool that inspects it.
    )

    cli(prog_name="xinqiao")
