"""What the commands of ``xinqiao certs`` share: options, serial numbers as people type them, files they write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from certs.authority import Issued
from certs.keys import save_key, write_whole
from certs.names import PREFIX
from certs.verify import serial_text
from gateway.cli.output import print_json, shown
from gateway.clock import instant

F = TypeVar("F", bound=Callable[..., Any])

days_option = click.option(
    "--days", type=click.IntRange(1, 365), help="有效天数 / days of validity, at most the profile's"
)
out_option = click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="输出目录 / folder for the files"
)


def csr_option(required: bool) -> Callable[[F], F]:
    """``--csr FILE``: a certificate signing request, PEM or DER."""
    kind = click.Path(exists=True, dir_okay=False, path_type=Path)
    return click.option("--csr", type=kind, required=required, help="证书请求 / CSR, PEM or DER")


def serial_of(text: str) -> str:
    """A serial as people type or paste it (``0A:1B:…``, capitals, without leading zeros) in the registry's form."""
    try:
        return serial_text(int(text.replace(":", ""), 16))
    except ValueError as error:
        raise click.UsageError(f"序列号应为十六进制 / expected a hexadecimal serial, got {text!r}") from error


def write_issued(folder: Path, holder: str, issued: Issued) -> dict[str, object]:
    """Write a certificate, and its key if it was made here, into files named after the holder; gives what to tell."""
    stem = holder.removeprefix(PREFIX).replace(":", ".")
    serial = serial_text(issued.certificate.serial_number)
    # The serial keeps a renewed certificate from replacing the one that is still in use.
    certificate = folder / f"{stem}-{serial[:8]}.pem"
    write_whole(certificate, issued.pem)
    written: dict[str, object] = {"serial": serial, "certificate": str(certificate)}
    if issued.key is not None:
        key = certificate.with_suffix(".key")
        save_key(key, issued.key)
        written["key"] = str(key)
    return written | {"not_after": instant(issued.certificate.not_valid_after_utc)}


def tell(facts: Mapping[str, object], as_json: bool) -> None:
    """Facts of one thing: a line each for people, one document for programs."""
    if as_json:
        return print_json(facts)
    for name, value in facts.items():
        click.echo(shown(f"{name}: {value}"))
    return None
