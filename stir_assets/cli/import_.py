"""`stir import`: loads real files into the source tables."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
import psycopg
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from stir_assets.core.clickhouse import clickhouse_client
from stir_assets.errors import PermanentError
from stir_assets.importers.kinds import KINDS
from stir_assets.importers.rejects import RejectsFile
from stir_assets.importers.run import ImportOptions, ReportProgress, run_import
from stir_assets.importers.summary import print_summary
from stir_assets.local.connect import connected_settings
from stir_assets.world.product import create_product_tables

_FILE = click.Path(path_type=Path, dir_okay=False)
_KINDS_HELP = "\n\n".join(f"{kind.name}: {kind.help}" for kind in KINDS.values())


@click.command(
    help="Load FILES (CSV, plain or gzip) of one KIND into the source tables. The columns decide how a file is read;"
    " rows that cannot be used go to a rejects file. Importing a file again changes nothing.\n\n"
    + _KINDS_HELP
)
@click.argument("kind", type=click.Choice(list(KINDS)))
@click.argument("files", nargs=-1, required=True, type=_FILE)
@click.option("--country", default="", metavar="CC", help="Two letters: the country the files are about.")
@click.option(
    "--titles", multiple=True, type=_FILE, help="Titles of videos for lists without text; repeatable."
)
@click.option("--categories", multiple=True, type=_FILE, help="Category list of the YouTube API (JSON).")
@click.option(
    "--observed-at",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="When the files were written (UTC), for files that do not say.",
)
@click.option(
    "--rejects", type=_FILE, help="Where rejected rows go. Default: <STIR_HOME>/rejects/<kind>-<time>.csv"
)
@click.pass_context
def command(
    ctx: click.Context,
    kind: str,
    files: tuple[Path, ...],
    country: str,
    titles: tuple[Path, ...],
    categories: tuple[Path, ...],
    observed_at: datetime | None,
    rejects: Path | None,
) -> None:
    code = country.strip().upper()
    if code and not (len(code) == 2 and code.isalpha() and code.isascii()):
        raise click.BadParameter(
            f"{country!r} is no two-letter country code (IN, US, ...)", param_hint="--country"
        )
    settings = connected_settings()
    rejects = rejects or settings.home / "rejects" / f"{kind}-{datetime.now(UTC):%Y%m%dT%H%M%S}.csv"
    options = ImportOptions(
        kind=kind,
        files=files,
        titles=titles,
        categories=categories,
        country=code,
        observed_at=int(observed_at.replace(tzinfo=UTC).timestamp()) if observed_at else None,
    )
    console = Console(stderr=True)
    with (
        contextlib.closing(clickhouse_client(settings.clickhouse)) as client,
        RejectsFile(rejects) as rejected,
        _progress(console) as progress,
    ):
        reports = run_import(client, options, rejected, progress)
    if settings.environment != "prod":
        # Publications read the application's tables; outside production nobody else makes them.
        try:
            with psycopg.connect(settings.postgres_dsn, autocommit=True) as product:
                create_product_tables(product)
        except psycopg.OperationalError as error:
            console.print(
                f"the application's tables were not made, PostgreSQL does not answer: {error}", markup=False
            )
    print_summary(Console(), reports, rejected)
    failed = [report for report in reports if report.error is not None]
    if failed:
        others = "; the others are imported" if len(failed) < len(reports) else "; nothing is imported"
        raise PermanentError(f"{len(failed)} of {len(reports)} files failed, see above{others}")


@contextlib.contextmanager
def _progress(console: Console) -> Iterator[ReportProgress | None]:
    """A bar per file on a terminal, nothing else where."""
    if not console.is_terminal:
        yield None
        return
    bars: dict[Path, TaskID] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:

        def tell(path: Path, done: int, total: int) -> None:
            if path not in bars:
                bars[path] = progress.add_task(path.name, total=total)
            progress.update(bars[path], completed=done)

        yield tell
