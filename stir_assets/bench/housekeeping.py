"""What Dagster's storage weighs after weeks, and after housekeeping: `stir bench housekeeping --days 30`.

A database of its own on the running stack's PostgreSQL, dropped at the end. One run and one event of each kind are
made by Dagster itself; they are then multiplied inside PostgreSQL, dated back evenly, with ids of their own.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import dagster as dg
import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from stir_assets.automation.condition import freshness_driven
from stir_assets.automation.housekeeping import housekeep
from stir_assets.automation.purge import Keep, storage_figures
from stir_assets.automation.sensors import freshness_sensor
from stir_assets.local.connect import connected_settings
from stir_assets.settings import REPO_ROOT, Settings

# Of the real graph: a run has a few assets, most of which have checks.
_ASSETS = 4
# :run is the run that is multiplied, the moments are those of its copies.
_COPIES = """
create temporary table copies on commit drop as
select gen_random_uuid()::text as run_id, moment at time zone 'UTC' as moment,
       row_number() over () + 1 as number
from generate_series(now() - make_interval(days => %(days)s), now(), make_interval(secs => 86400.0 / %(a_day)s)) as moment
"""
_OF_RUNS = (
    """
insert into runs (run_id, snapshot_id, pipeline_name, status, run_body, create_timestamp, update_timestamp, start_time, end_time)
select copies.run_id, snapshot_id, pipeline_name, status, replace(run_body, runs.run_id, copies.run_id), moment, moment,
       extract(epoch from moment), extract(epoch from moment)
from runs, copies where runs.run_id = %(run)s
""",
    """
insert into run_tags (run_id, key, value)
select copies.run_id, key, value from run_tags, copies where run_tags.run_id = %(run)s
""",
    """
insert into event_logs (run_id, event, dagster_event_type, timestamp, step_key, asset_key, partition)
select copies.run_id, replace(event, event_logs.run_id, copies.run_id), dagster_event_type, moment, step_key, asset_key, partition
from event_logs, copies where event_logs.run_id = %(run)s
""",
    """
insert into asset_event_tags (event_id, asset_key, key, value, event_timestamp)
select new.id, tags.asset_key, tags.key, tags.value, new.timestamp
from asset_event_tags as tags
join event_logs as old on old.id = tags.event_id and old.run_id = %(run)s
join event_logs as new on new.asset_key = old.asset_key and new.dagster_event_type = old.dagster_event_type
join copies on copies.run_id = new.run_id
""",
    """
insert into asset_check_executions (asset_key, check_name, run_id, execution_status, evaluation_event,
    evaluation_event_timestamp, create_timestamp)
select asset_key, check_name, copies.run_id, execution_status, evaluation_event, moment, moment
from asset_check_executions as checks, copies where checks.run_id = %(run)s
""",
    """
insert into asset_daemon_asset_evaluations (evaluation_id, asset_key, asset_evaluation_body, num_requested, create_timestamp)
select number, asset_key, asset_evaluation_body, num_requested, moment
from asset_daemon_asset_evaluations, copies
""",
)
_OF_EVENTS = (
    """
insert into event_logs (run_id, event, dagster_event_type, timestamp, asset_key)
select '', event, dagster_event_type, moment, asset_key
from (select * from event_logs where run_id = '' order by id limit 1) as sensed, copies
""",
)


def definitions() -> dg.Definitions:
    """A source and a chain behind it, each with a check, as small as Dagster's own bookkeeping allows."""
    assets: list[dg.AssetsDefinition] = []
    for number in range(_ASSETS):

        @dg.asset(
            name=f"asset{number}",
            deps=[assets[-1].key if assets else "source"],
            check_specs=[dg.AssetCheckSpec("rows", asset=f"asset{number}")],
            automation_condition=freshness_driven(),
        )
        def build() -> dg.MaterializeResult:
            check = dg.AssetCheckResult(passed=True, metadata={"rows": 1})
            columns = dg.TableSchema([dg.TableColumn(f"column_{n}", "String") for n in range(20)])
            return dg.MaterializeResult(
                metadata={"dagster/column_schema": columns, "stir/seconds": 0.2}, check_results=[check]
            )

        assets.append(build)
    return dg.Definitions(
        assets=[dg.AssetSpec("source"), *assets],
        sensors=[freshness_sensor()],
        executor=dg.in_process_executor,
    )


@contextlib.contextmanager
def _own_instance(settings: Settings) -> Iterator[tuple[dg.DagsterInstance, psycopg.Connection]]:
    """An instance as the repository configures it, whose storage is a new database; both are gone afterwards."""
    name = f"stir_bench_{uuid.uuid4().hex[:8]}"
    with (
        tempfile.TemporaryDirectory() as folder,
        psycopg.connect(settings.postgres_dsn, autocommit=True) as admin,
    ):
        shutil.copy(REPO_ROOT / "dagster.yaml", folder)
        admin.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        facts = admin.info
        os.environ.update(
            DAGSTER_PG_HOST=facts.host,
            DAGSTER_PG_PORT=str(facts.port),
            DAGSTER_PG_USER=facts.user,
            DAGSTER_PG_PASSWORD=facts.password,
            DAGSTER_PG_DB=name,
        )
        try:
            with (
                psycopg.connect(make_conninfo(settings.postgres_dsn, dbname=name), autocommit=True) as own,
                dg.DagsterInstance.from_config(folder) as instance,
            ):
                yield instance, own
        finally:
            admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def _first_of_each(instance: dg.DagsterInstance) -> str:
    """One run, one event of a sensor, the evaluations of one decision, by Dagster itself; the run's id."""
    repository = definitions().get_repository_def()
    instance.report_runless_asset_event(
        dg.AssetMaterialization(
            "source", metadata={"stir/data_time": time.time()}, tags={"dagster/data_version": "1"}
        )
    )
    context = dg.build_sensor_context(instance=instance, repository_def=repository)
    result = repository.get_sensor_def("freshness").evaluate_tick(context)
    evaluations = [each.with_run_ids(set()) for each in result.automation_condition_evaluations]
    assert instance.schedule_storage is not None  # noqa: S101  # the repository's instance has one
    instance.schedule_storage.add_auto_materialize_asset_evaluations(1, evaluations)
    return repository.get_implicit_global_asset_job_def().execute_in_process(instance=instance).run_id


def _age(own: psycopg.Connection, statements: Sequence[str], run_id: str, days: float, a_day: float) -> None:
    with own.transaction():
        own.execute(_COPIES, {"days": days, "a_day": a_day})
        for statement in statements:
            own.execute(statement.encode(), {"run": run_id})


def _megabytes(own: psycopg.Connection) -> float:
    """The database without the room that deleted rows left."""
    own.execute("vacuum full")
    [size] = own.execute("select pg_database_size(current_database())").fetchone() or (0,)
    return size / 1e6


@click.command()
@click.option("--days", type=click.IntRange(min=1), default=30, show_default=True)
@click.option("--runs", type=click.IntRange(min=1), default=400, show_default=True, help="A day.")
@click.option(
    "--events", type=click.IntRange(min=1), default=4000, show_default=True, help="Of sensors, a day."
)
def command(days: int, runs: int, events: int) -> None:
    """Rows and megabytes of Dagster's storage after DAYS days, before and after housekeeping, and of a year."""
    settings = connected_settings()
    logging.getLogger("dagster").setLevel(logging.ERROR)
    with _own_instance(settings) as (instance, own):
        run_id = _first_of_each(instance)
        empty = _megabytes(own)
        _age(own, _OF_RUNS, run_id, days, runs)
        with_runs = _megabytes(own)
        _age(own, _OF_EVENTS, run_id, days, events)
        full = _megabytes(own)
        before = storage_figures(instance)
        begun = time.monotonic()
        passes = 0
        while True:
            passes += 1
            figures = housekeep(instance, settings.s3, target_dir=Path("none"))
            if figures["runs deleted"] < Keep().most_runs and not figures["events of sensors deleted"]:
                break
        took = time.monotonic() - begun
        after, left = storage_figures(instance), _megabytes(own)
    click.echo(f"{days} days of {runs:,} runs of {_ASSETS} assets and {events:,} events of sensors a day")
    click.echo(f"{'':<18} {'before':>12} {'after':>12}")
    for name in ("runs", "events", "check executions", "evaluations"):
        click.echo(f"{name:<18} {before[name]:>12,} {after[name]:>12,}")
    click.echo(f"{'MB, compacted':<18} {full:>12,.0f} {left:>12,.0f}")
    click.echo(f"housekeeping took {took:.0f} s in {passes} passes")
    a_run, an_event = (with_runs - empty) / (days * runs) * 1e3, (full - with_runs) / (days * events) * 1e3
    click.echo(f"a run weighs {a_run:.1f} kB, an event of a sensor {an_event:.2f} kB")
    click.echo(f"a year without housekeeping: {(a_run * runs + an_event * events) * 365 / 1e6:,.1f} GB")
