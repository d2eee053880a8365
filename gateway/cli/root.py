"""The root command: where each verb lives, and the one place where an error becomes a line on the terminal."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import click

from certs.errors import CertsError
from connectors.errors import XinqiaoError
from gateway import __version__
from gateway.settings import Settings

VERBS = {
    "audit": ("gateway.cli.audit", "审计日志：校验、回执、谁读过谁 / audit log: verify, receipts, who read whom"),
    "bench": ("gateway.cli.bench", "测速 / measure, beside the plain way"),
    "ca": ("gateway.cli.ca", "证书机构：根机构仪式与更换 / authorities: ceremonies of the root, rollover"),
    "certs": ("gateway.cli.certs", "证书：签发、吊销、列出 / certificates: issue, revoke, list"),
    "challenges": ("gateway.cli.challenges", "校核纠错：列出、处理 / challenges of values: list, decide"),
    "deliver": ("gateway.cli.deliver", "报送一个文件 / deliver a file for a source"),
    "deliveries": ("gateway.cli.deliver", "列出交付 / list deliveries"),
    "demo": ("gateway.cli.demo", "完整演示 / the main job, end to end, in a new home"),
    "duties": ("gateway.cli.duties", "三员：登记、分立 / duties: who holds which, register, separate"),
    "erase": ("gateway.cli.erase", "删除个人信息 / erase one person's data; two people"),
    "feed": ("gateway.cli.feed", "读取变更流 / read a feed from a position"),
    "grants": ("gateway.cli.grants", "授权 / grants and applications"),
    "identify": ("gateway.cli.identify", "识别代码 / identify codes read from standard input"),
    "init": ("gateway.cli.serve", "初始化 XINQIAO_HOME / prepare an empty home"),
    "keys": ("gateway.cli.keys", "密钥：列出、更换、重新加密 / keys at rest: list, rotate, seal again"),
    "new-source": ("gateway.cli.sources", "新建数据源目录 / write the skeleton of a source"),
    "notifications": ("gateway.cli.notifications", "通知：列出、推送 / what systems are told: list, push"),
    "quarantine": ("gateway.cli.quarantine", "隔离行：列出、更正、驳回 / quarantined rows: list, correct, dismiss"),
    "replay": ("gateway.cli.deliver", "按今天的规则重放 / land a delivery's kept rows again"),
    "run": ("gateway.cli.deliver", "立即采集一个数据源 / pull a source now, without Airflow"),
    "serve": ("gateway.cli.serve", "启动网关 / serve HTTP and SOAP over mutual TLS"),
    "signing-keys": (
        "gateway.cli.signing_keys",
        "签名密钥：登记、列出、吊销 / keys that sign: register, list, revoke",
    ),
    "witness": ("gateway.cli.witness", "见证其他单位的日志 / watch another agency's log and cosign it"),
    "sources": ("gateway.cli.sources", "列出数据源 / list the sources"),
}
"""Verb -> module that has it under its own name, and its one-line help (so that --help imports nothing)."""


UNGUARDED = ("init", "serve", "demo", "bench", "identify", "sources", "new-source", "witness")
"""Verbs that take no duty: they prepare and start the installation, look at what is no secret, or see only hashes."""

_SHOWN = "xinqiao.shown"

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


class Verbs(click.Group):
    """Loads a verb's module when the verb is used: starting must not cost what the verb does not need."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every verb, in alphabetical order."""
        return sorted(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb's command, or None if there is no such verb."""
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(VERBS[cmd_name][0])
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        if cmd_name not in UNGUARDED:
            from gateway.cli.permitted import Shown, guard  # imported when it is needed: it opens the database

            guard(command, cmd_name, lambda: Shown(*click.get_current_context().find_root().meta.get(_SHOWN, ())))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of verbs for --help, without loading any."""
        with formatter.section("Commands 命令"):
            formatter.write_dl([(verb, VERBS[verb][1]) for verb in self.list_commands(ctx)])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb; what went wrong is said in both languages and ends with exit code 1."""
        try:
            return super().invoke(ctx)
        except (XinqiaoError, CertsError) as error:
            from gateway.cli.output import shown

            click.echo(shown(f"错误 [{error.code}] {error.zh}"), err=True)
            click.echo(shown(f"error [{error.code}] {error.en}"), err=True)
            if error.details:
                click.echo(shown(json.dumps(error.details, ensure_ascii=False, default=str)), err=True)
            ctx.exit(1)


@click.group(cls=Verbs)
@click.version_option(__version__)
@click.option(
    "--certificate",
    type=_FILE,
    envvar="XINQIAO_PERSON_CERTIFICATE",
    help="人员证书，三员分立后管理操作须出示 / your certificate, once the duties are separated",
)
@click.option("--key", type=_FILE, envvar="XINQIAO_PERSON_KEY", help="其私钥 / its key")
@click.option(
    "--key-passphrase", default="", envvar="XINQIAO_PERSON_PASSPHRASE", help="私钥口令 / passphrase of the key"
)
@click.pass_context
def cli(ctx: click.Context, certificate: Path | None, key: Path | None, key_passphrase: str) -> None:
    """信桥：政务数据交换网关 / Xinqiao: a government data-exchange gateway.

    All data lives under XINQIAO_HOME (default: var). 所有数据存放在 XINQIAO_HOME（默认 var）。
    """
    from gateway.logs import configure_logs  # imported when a verb runs: --help needs no log

    ctx.meta[_SHOWN] = (certificate, key, key_passphrase)

    configure_logs()
    try:
        ctx.obj = Settings.load()
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    if sys.stdout.encoding and sys.stdout.encoding.lower() not in ("utf-8", "utf8"):
        # A terminal in another encoding must not end a run because of one character.
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # stdout is a TextIOWrapper here
