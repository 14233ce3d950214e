"""`stir up`: start the local engines and Dagster, return (or print) when all answer."""

from __future__ import annotations

import os
import time

import click

from stir_assets.errors import ConfigError
from stir_assets.local.catalog import DAGSTER, ENGINES
from stir_assets.local.config import PORTS
from stir_assets.local.environment import external_environment, uses_external_servers
from stir_assets.local.home import StackHome
from stir_assets.local.stack import Stack
from stir_assets.settings import Settings, stir_home


@click.command()
@click.option("--detach", is_flag=True, help="Return when all answer; without it, stay until Ctrl-C.")
@click.option("--no-ui", is_flag=True, help="Only the engines: ClickHouse, PostgreSQL and S3.")
@click.option("--clickhouse-port", type=int, help=f"Default {PORTS['clickhouse'].default}.")
@click.option("--postgres-port", type=int, help=f"Default {PORTS['postgres'].default}.")
@click.option("--s3-port", type=int, help=f"Default {PORTS['s3'].default}.")
@click.option("--ui-port", type=int, help=f"Default {PORTS['webserver'].default}.")
@click.option("--code-port", type=int, help=f"Default {PORTS['code-server'].default}.")
def command(
    detach: bool,
    no_ui: bool,
    clickhouse_port: int | None,
    postgres_port: int | None,
    s3_port: int | None,
    ui_port: int | None,
    code_port: int | None,
) -> None:
    """Start the local engines and Dagster.

    Ports and passwords are kept in STIR_HOME (default `.stir/`), so a restart has the same ones. A default
    port that is busy is replaced by a free one; a port that you choose and that is busy is an error. With
    STIR_CLICKHOUSE_HOST, STIR_POSTGRES_DSN and STIR_S3_BUCKET set, those servers are used instead of local
    engines.
    """
    if no_ui and (ui_port or code_port):
        raise click.UsageError("--no-ui starts no user interface: leave out --ui-port and --code-port")
    started = time.monotonic()
    ports = {
        "clickhouse": clickhouse_port,
        "postgres": postgres_port,
        "s3": s3_port,
        "webserver": ui_port,
        "code-server": code_port,
    }
    external = uses_external_servers(os.environ)
    if external:
        _check_external()
        if no_ui:
            click.echo("ClickHouse, PostgreSQL and S3 are servers of your own: nothing to start")
            return
    services = (() if external else ENGINES) + (() if no_ui else DAGSTER)
    stack = Stack(engines=services, ports=ports, notify=lambda line: click.echo(line, err=True))

    def ready() -> None:
        _summary(stack, time.monotonic() - started, ui=not no_ui)
        if not detach:
            click.echo("running in the foreground: Ctrl-C stops everything", err=True)

    if detach:
        stack.start()
        ready()
    elif not stack.run_foreground(ready):
        _summary(stack, time.monotonic() - started, ui=not no_ui)


def _check_external() -> None:
    from stir_assets.local.health import check_servers

    env = external_environment(StackHome(stir_home()), os.environ)
    failed = [check for check in check_servers(Settings.from_env(env)) if not check.healthy]
    if failed:
        raise ConfigError("; ".join(f"{check.name} at {check.address}: {check.detail}" for check in failed))


def _summary(stack: Stack, seconds: float, *, ui: bool) -> None:
    click.secho(f"ready after {seconds:.1f} s; data and logs in {stack.home.root}", fg="green")
    state = stack.state()
    if ui and state is not None and "webserver" in state.services:
        click.echo(f"user interface: {state.services['webserver'].address}")
    click.echo('settings for other clients: eval "$(stir env)"; stop with `stir down`')
