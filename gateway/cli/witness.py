"""``xinqiao witness``: be the witness of another agency's log."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.audit_proofs import FILE, read_vkey
from gateway.cli.output import json_option, print_rows
from gateway.settings import Settings
from gateway.witness.home import initialise_witness, witness_home

_COLUMNS = (("origin", "日志 log"), ("size", "已会签至 cosigned up to"), ("evidence", "矛盾的检查点 contradictions"))


@click.group("witness")
def witness() -> None:
    """见证其他单位的日志 / Watch another agency's log, and cosign it while its history only grows."""


@witness.command("init")
@click.option("--name", required=True, help="审计员所知的名称 / as auditors will know it: audit.example.gov.cn/witness")
@click.pass_obj
def init(settings: Settings, name: str) -> None:
    """Make a witness' key; prints the public half, which logs and auditors need. 生成见证密钥。"""
    click.echo(initialise_witness(witness_home(settings), name).text())


@witness.command("trust")
@click.argument("vkey_file", type=FILE)
@click.pass_obj
def trust(settings: Settings, vkey_file: Path) -> None:
    """Watch the log whose public key is in VKEY_FILE. 开始见证一个日志。"""
    log = read_vkey(vkey_file)
    home = witness_home(settings)
    home.cosigner()
    home.trust(log)
    click.echo(f"见证 / watching: {log.name}")


@witness.command("logs")
@json_option
@click.pass_obj
def logs(settings: Settings, as_json: bool) -> None:
    """The logs that are watched, how far each was cosigned, and what contradicted that. 所见证的日志。"""
    home = witness_home(settings)
    rows = [
        {"origin": log.name, "size": home.cosigned(log).size, "evidence": len(home.evidence(log))}
        for log in home.logs()
    ]
    print_rows(rows, _COLUMNS, as_json)


@witness.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="监听地址 / address to listen on")
@click.option("--port", default=8444, show_default=True, type=click.IntRange(0, 65535), help="端口 / port; 0: any")
@click.option(
    "--cert", type=FILE, help="服务器证书 / the server's certificate, PEM; without it plain HTTP on the loopback"
)
@click.option("--key", type=FILE, help="其私钥 / its private key")
@click.pass_obj
def serve(settings: Settings, host: str, port: int, cert: Path | None, key: Path | None) -> None:
    """Answer POST /add-checkpoint (C2SP tlog-witness) until stopped. 启动见证服务。"""
    from gateway.witness.serving import serve_witness  # gunicorn is loaded only where it runs

    if (cert is None) != (key is None):
        raise click.UsageError("--cert 与 --key 须一同给出 / --cert and --key go together")
    serve_witness(witness_home(settings), host, port, cert, key, lambda url: click.echo(url))
