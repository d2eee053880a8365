"""``xinqiao audit prove``, ``consistency`` and the ``verify-…`` verbs that need nothing but public keys."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import click
import httpx

from certs.signed.proof import Verified
from connectors.errors import Refused
from gateway.audit.actions import action_of
from gateway.audit.giving_proofs import consistency as prove_consistency
from gateway.audit.giving_proofs import inclusion_at
from gateway.audit.keys import vkey_path
from gateway.audit.merkle import ProofError
from gateway.audit.notes import LOG_KEY, WITNESS_KEY, Verifier, parse_vkey
from gateway.audit.policy import Policy, PolicyError, at_least, read_policy
from gateway.audit.proofs import Proven, verify_consistency, verify_receipt
from gateway.audit.static_log import StaticLog, StaticReport, log_at, log_in_folder, verify_static
from gateway.audit.witnessing import policy_path
from gateway.certificates_files import pki_files
from gateway.cli.output import always_json, json_option, print_json, shown
from gateway.cli.signing_root import ca_option, signer_of
from gateway.client import client
from gateway.home import open_home
from gateway.settings import Settings

T = TypeVar("T")

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FILE_OR_STDIN = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)

vkey_option = click.option("--vkey", "vkey_file", type=FILE, help="公钥文件 / the log's public key")


def policy_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--policy FILE``, or ``--witness FILE`` several times with ``--required K``: who must have cosigned."""
    for option in (
        click.option("--required", type=click.IntRange(1), help="至少几个见证方（默认全部） / k of n; default: all"),
        click.option("--witness", "witness_files", type=FILE, multiple=True, help="见证方公钥 / a witness' public key"),
        click.option("--policy", "policy_file", type=FILE, help="见证策略 / who must have cosigned (C2SP tlog-policy)"),
    ):
        command = option(command)
    return command


def chosen_policy(policy_file: Path | None, witness_files: tuple[Path, ...], required: int | None) -> Policy | None:
    """The policy that the options name; None if they name none.

    Raises:
        Refused: a file cannot be read, or the options contradict each other.
    """
    if policy_file and (witness_files or required):
        raise Refused("--policy 不能与 --witness、--required 同用", "--policy excludes --witness and --required")
    if required and not witness_files:
        raise Refused("--required 需与 --witness 同用", "--required needs --witness")
    try:
        if policy_file:
            return read_policy(policy_file)
        if witness_files:
            keys = [read_vkey(path, WITNESS_KEY) for path in witness_files]
            return at_least(required or len(keys), keys)
    except (OSError, PolicyError) as error:
        raise Refused(f"见证策略无法读取：{error}", f"the policy cannot be read: {error}") from error
    return None


def own_policy(settings: Settings) -> Policy:
    """The policy of this installation's log.

    Raises:
        Refused: there is none, or it cannot be read.
    """
    path = policy_path(settings)
    policy = chosen_policy(path, (), None) if path.exists() else None
    if policy is None:
        raise Refused(f"没有见证策略文件 {path}", f"there is no policy file {path}", path=str(path))
    return policy


def read_vkey(path: Path, kind: bytes = LOG_KEY) -> Verifier:
    """The public key in a file.

    Raises:
        Refused: there is none in it.
    """
    try:
        return parse_vkey(path.read_text("utf-8"), kind)
    except (OSError, ValueError) as error:
        # NoteError is a ValueError; so is text that is not UTF-8.
        raise Refused(f"{path} 不是公钥：{error}", f"{path} is not such a public key: {error}") from error


@click.command("prove")
@click.argument("index", type=click.IntRange(0))
@always_json
@click.pass_obj
def prove(settings: Settings, index: int) -> None:
    """The proof that entry INDEX is in the log; `verify-receipt` verifies it. 条目在日志中的证明。"""
    with open_home(settings) as store:
        print_json(inclusion_at(store, index))


@click.command("consistency")
@click.argument("first", type=click.IntRange(0))
@always_json
@click.pass_obj
def consistency(settings: Settings, first: int) -> None:
    """The proof that the log begins with its first FIRST entries; see `verify-consistency`. 一致性证明。"""
    with open_home(settings) as store:
        print_json(prove_consistency(store, first))


@click.command("verify-receipt")
@click.argument("file", type=FILE_OR_STDIN)
@vkey_option
@policy_options
@ca_option
@json_option
@click.pass_obj
def verify_receipt_file(
    settings: Settings,
    file: Path,
    vkey_file: Path | None,
    policy_file: Path | None,
    witness_files: tuple[Path, ...],
    required: int | None,
    ca: Path | None,
    as_json: bool,
) -> None:
    """Verify the receipt or proof in FILE offline, with nothing but the log's public key. 离线校验回执。

    Its signature by the gateway is verified too, if there is a root to trust: --ca, or that of this installation.
    """
    verifier = read_vkey(vkey_file or vkey_path(settings))
    policy = chosen_policy(policy_file, witness_files, required)

    document = checked(lambda: read_document(file), "回执无效", "the receipt is not proven", as_json)
    signer: Verified | None = None

    def check() -> Proven:
        nonlocal signer
        # The log first: it names the member that differs, where a signature only says that something does.
        found = verify_receipt(document, verifier.text(), policy)
        signer = signer_of(document, settings, ca)
        return found

    proven = checked(check, "回执无效", "the receipt is not proven", as_json)
    if as_json:
        print_json({"ok": True, **asdict(proven), "signed_by": signer and signer.signer.key_id})
        return
    act = action_of(str(proven.entry["action"]))
    click.echo(f"回执有效 / proven: 条目 entry {proven.index} of {proven.size} ({act.zh} / {act.en})")
    if signer:
        click.echo(f"网关签名 / signed by the gateway: {signer.signer.key_id} ({signer.algorithm.name})")
    if proven.witnesses:
        click.echo(shown(f"见证方 / cosigned by: {', '.join(proven.witnesses)}"))
    if proven.unproven:
        click.echo(shown(f"未列入日志的字段 / said, but not in the log: {', '.join(proven.unproven)}"))


@click.command("verify-consistency")
@click.argument("file", type=FILE_OR_STDIN)
@click.option("--against", type=FILE, required=True, help="先前保存的检查点 / the checkpoint kept from earlier")
@vkey_option
@json_option
@click.pass_obj
def verify_consistency_file(
    settings: Settings, file: Path, against: Path, vkey_file: Path | None, as_json: bool
) -> None:
    """Verify offline the proof in FILE that the log begins with a checkpoint that was kept. 离线校验一致性证明。"""
    verifier = read_vkey(vkey_file or vkey_path(settings))

    def check() -> dict[str, Any]:
        later = verify_consistency(read_document(file), against.read_text("utf-8"), verifier.text())
        return {"ok": True, "origin": later.origin, "size": later.size, "root": later.root.hex()}

    found = checked(check, "一致性未得到证明", "consistency is not proven", as_json)
    if as_json:
        print_json(found)
    else:
        click.echo(f"一致 / consistent: {shown(found['origin'])}, {found['size']} 条 entries, root {found['root']}")


@click.command("verify-log")
@click.argument("log")
@click.option("--against", type=FILE, help="先前保存的检查点 / a checkpoint kept from earlier")
@vkey_option
@policy_options
@click.option("--tsa-roots", type=FILE, help="时间戳机构根证书 / time-stamping authorities; a stamp is demanded")
@click.option("--ca", type=FILE, help="信任的根证书 / authorities the log's server must lead to; default: this home's")
@click.option("--cert", type=FILE, help="审计员证书，用于读取条目 / an auditor's certificate, to read the entries too")
@click.option("--key", type=FILE, help="其私钥 / its private key")
@json_option
@click.pass_obj
def verify_log(
    settings: Settings,
    log: str,
    against: Path | None,
    vkey_file: Path | None,
    policy_file: Path | None,
    witness_files: tuple[Path, ...],
    required: int | None,
    tsa_roots: Path | None,
    ca: Path | None,
    cert: Path | None,
    key: Path | None,
    as_json: bool,
) -> None:
    """Verify a log from its static files: LOG is its address (https://…/audit) or a folder with a copy. 校验静态日志。

    Signature, every tile, the root, every entry that may be read, and that it begins with an earlier checkpoint.
    """
    verifier = read_vkey(vkey_file or vkey_path(settings))
    policy = chosen_policy(policy_file, witness_files, required)
    kept, roots = against.read_text("utf-8") if against else None, tsa_roots.read_bytes() if tsa_roots else None
    progress = tell_progress if sys.stderr.isatty() and not as_json else tell_nothing
    with ExitStack() as stack:
        static = _static_log(log, settings, ca, cert, key, stack)
        report = checked(
            lambda: verify_static(static, verifier, policy, kept, progress, roots),
            "日志不符",
            "the log is not as it says",
            as_json,
        )
    if as_json:
        print_json({"ok": True, **asdict(report)})
    else:
        _print_static(report)


def _static_log(
    log: str, settings: Settings, ca: Path | None, cert: Path | None, key: Path | None, stack: ExitStack
) -> StaticLog:
    if log.startswith(("https://", "http://")):
        prefix, trusted = f"{log.rstrip('/')}/", ca or pki_files(settings).trust
        if trusted.exists():
            return log_at(stack.enter_context(client(prefix, trusted, cert, key)))
        if cert:
            raise Refused(
                "出示证书时须以 --ca 指明服务器的根证书", "with --cert, name the server's authorities by --ca"
            )
        # What comes is believed for the log's signature alone, so whoever serves it need not be known.
        return log_at(stack.enter_context(httpx.Client(base_url=prefix, verify=False, trust_env=False)))  # noqa: S501  # see above
    folder = Path(log)
    if not folder.is_dir():
        raise Refused(f"{log} 既不是地址也不是文件夹", f"{log} is neither an address nor a folder")
    return log_in_folder(folder)


def _print_static(report: StaticReport) -> None:
    click.echo(
        shown(f"日志完好 / verified: {report.origin}, {report.size} 条 entries, root {report.root}")
        + (
            ""
            if report.entries or not report.size
            else "; 条目本身不可读，仅校验其哈希 / entries not readable, hashes only"
        )
    )
    if report.witnessed_size is not None:
        names = ", ".join(report.witnesses) or "—"
        click.echo(shown(f"见证 / witnessed: {report.witnessed_size} 条 entries, {names}"))
    if report.stamped_at is not None:
        click.echo(f"时间戳 / stamped: {report.stamped_size} 条 entries, {report.stamped_at:%Y-%m-%d %H:%M:%S} UTC")
    if report.earlier_size is not None:
        click.echo(f"以先前检查点开头 / begins with the earlier checkpoint: {report.earlier_size} 条 entries")


def read_document(file: Path) -> dict[str, Any]:
    """The JSON object in a file, or on standard input if it is ``-``.

    Raises:
        ProofError: it is none.
    """
    try:
        with click.open_file(str(file), encoding="utf-8") as opened:
            document = json.load(opened)
    except ValueError as error:
        raise ProofError(f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise ProofError("expected a JSON object")
    return document


def checked(check: Callable[[], T], zh: str, en: str, as_json: bool) -> T:
    """What ``check`` gives; if something is not proven, say what and end with 1."""
    try:
        return check()
    except ProofError as error:
        if as_json:
            print_json({"ok": False, "problem": str(error)})
        else:
            click.echo(shown(f"{zh} / {en}: {error}"))
        sys.exit(1)


def tell_progress(what: str, so_far: int) -> None:
    """One line of standard error, written over."""
    click.echo(f"\r{what} {so_far:,}", err=True, nl=False)


def tell_nothing(what: str, so_far: int) -> None:
    """A program that reads our output needs no progress."""
