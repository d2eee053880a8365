"""``xinqiao init`` and ``xinqiao serve``: an installation and its gateway."""

from __future__ import annotations

import click

from gateway.clock import utc_now
from gateway.home import initialise, open_home
from gateway.settings import Settings


@click.command("init")
@click.pass_obj
def init(settings: Settings) -> None:
    """Prepare an empty XINQIAO_HOME: keys, certificates, database, log. 初始化，不提问。"""
    is_new = initialise(settings, utc_now())
    if is_new:
        click.echo(f"已初始化 / initialised: {settings.home}")
    else:
        click.echo(f"已是初始化状态，未作改动 / already initialised, nothing changed: {settings.home}")


@click.command("serve")
@click.pass_obj
def serve(settings: Settings) -> None:
    """Serve HTTP and SOAP over mutual TLS until stopped. 启动网关服务。"""
    from gateway.server.run import run_foreground  # gunicorn is loaded only where it runs

    open_home(settings).close()
    run_foreground(settings)
