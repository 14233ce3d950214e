"""Rows a minute that `stir import` takes: `stir bench imports [--rows N]`.

A generated file in the public trending layout (videos that stay listed for days, hidden counters, repeated
rows) goes into engines of its own, once into empty tables and once more, when nothing may change.
"""

from __future__ import annotations

import contextlib
import gzip
import random
from datetime import date, timedelta
from pathlib import Path

import click

from stir_assets.bench.start import private_stack
from stir_assets.core.clickhouse import clickhouse_client
from stir_assets.importers.rejects import RejectsFile
from stir_assets.importers.run import ImportOptions, run_import
from stir_assets.settings import Settings

_HEADER = "video_id,trending_date,title,channel_title,category_id,publish_time,tags,views,likes,dislikes,comment_count"
_DAYS_LISTED = 8
_REPEATED = 0.1


def write_trending(path: Path, rows: int, seed: int = 7) -> None:
    """A gzip file of about `rows` rows: each video on consecutive days, a tenth of the rows twice."""
    chance = random.Random(seed)  # noqa: S311 - data for a benchmark
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=4) as file:
        file.write(_HEADER + "\n")
        for video in range(rows // _DAYS_LISTED):
            published = date(2017, 11, 1) + timedelta(days=chance.randrange(200))
            views = int(1000 * chance.paretovariate(0.8))
            for day in range(1, _DAYS_LISTED + 1):
                listed = published + timedelta(days=day)
                seen = int(views * day**0.7)
                line = (
                    f'{video:011x},{listed:%y.%d.%m},"Video {video}, of some title",Channel {video % 5000},24,'
                    f'{published}T10:00:00.000Z,"one|two|three",{seen},{seen // 30},{seen // 900},{seen // 200}\n'
                )
                file.write(line * (2 if chance.random() < _REPEATED else 1))


@click.command()
@click.option("--rows", type=click.IntRange(min=1000), default=500_000, show_default=True)
def command(rows: int) -> None:
    """Rows a minute of `stir import youtube-trending` for a file of about ROWS rows."""
    with private_stack() as stack:
        stack.start()
        path = stack.home.root / "trending.csv.gz"
        write_trending(path, rows)
        settings = Settings.from_env(stack.environment())
        options = ImportOptions(kind="youtube-trending", files=(path,), country="IN")
        click.echo(f"{'import':<8} {'rows':>9} {'kept':>9} {'seconds':>8} {'rows/min':>10}")
        for name in ("first", "again"):
            with (
                contextlib.closing(clickhouse_client(settings.clickhouse)) as client,
                RejectsFile(stack.home.root / f"rejects-{name}.csv") as rejects,
            ):
                (report,) = run_import(client, options, rejects)
            if report.error:
                raise click.ClickException(report.error)
            rate = report.read / report.seconds * 60
            click.echo(f"{name:<8} {report.read:>9,} {report.kept:>9,} {report.seconds:>8.1f} {rate:>10,.0f}")
