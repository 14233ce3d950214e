"""What is purged and what stays, on the repository's instance in PostgreSQL and real S3."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as db
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._core.storage.runs.schema import RunsTable
from dagster._core.storage.schedules.schema import AssetDaemonAssetEvaluationsTable
from dagster._core.test_utils import freeze_time

from stir_assets.automation.graph import graph_of
from stir_assets.automation.housekeeping import housekeep
from stir_assets.automation.purge import Keep, purge_sensed_events
from stir_assets.automation.state import asset_records, read_state
from stir_assets_tests.fixtures.s3 import S3

NOW = datetime.now(UTC)
NOTHING = Path("no-such-folder")


@dg.asset(deps=["source"])
def often() -> None: ...


@dg.asset(deps=["source"])
def once() -> None: ...


DEFINITIONS = dg.Definitions(assets=[dg.AssetSpec("source"), often, once])


def run_at(instance: dg.DagsterInstance, moment: datetime, *keys: str) -> str:
    """A run of these assets that was made at `moment`."""
    job = DEFINITIONS.resolve_implicit_global_asset_job_def()
    with freeze_time(moment):
        run = job.execute_in_process(instance=instance, asset_selection=[dg.AssetKey(key) for key in keys])
    with instance.run_storage.connect() as connection:  # pyright: ignore[reportAttributeAccessIssue]
        # PostgreSQL dates runs by its own clock.
        connection.execute(
            RunsTable.update()
            .where(RunsTable.c.run_id == run.run_id)
            .values(create_timestamp=moment.replace(tzinfo=None))
        )
    return run.run_id


def sensed_at(instance: dg.DagsterInstance, moment: datetime, key: str | list[str] = "source") -> None:
    with freeze_time(moment):
        instance.report_runless_asset_event(dg.AssetMaterialization(key))


def ago(**age: float) -> datetime:
    return NOW - timedelta(**age)


def test_old_runs_go_with_events_and_logs_but_not_the_last_of_an_asset(
    instance: dg.DagsterInstance, s3: S3
) -> None:
    oldest = run_at(instance, ago(days=40), "often", "once")
    older = run_at(instance, ago(days=30), "often")
    recent = run_at(instance, ago(days=1), "often")
    figures = housekeep(instance, s3.settings, target_dir=NOTHING)
    assert {run.run_id for run in instance.get_runs()} == {oldest, recent}
    assert instance.all_logs(older) == []
    assert (figures["runs before"], figures["runs after"], figures["runs deleted"]) == (3, 2, 1)
    assert figures["events after"] < figures["events before"]
    assert figures["database bytes before"] > 0
    last = instance.get_latest_materialization_event(dg.AssetKey("once"))
    assert last is not None
    assert last.run_id == oldest


def test_the_planner_sees_the_same_state_before_and_after(instance: dg.DagsterInstance, s3: S3) -> None:
    for days in range(40, 0, -4):
        sensed_at(instance, ago(days=days, minutes=5))
        run_at(instance, ago(days=days), "often", *(["once"] if days > 30 else []))
    graph = graph_of(DEFINITIONS.get_repository_def().asset_graph)

    def state() -> object:
        return read_state(instance, graph, asset_records(instance, graph), now=NOW.timestamp()).state

    before = state()
    figures = housekeep(instance, s3.settings, target_dir=NOTHING)
    assert figures["runs deleted"] > 3
    assert figures["events of sensors deleted"] > 3
    assert state() == before


def test_of_sensed_events_the_last_stays_however_old_and_reports_stay_longer(
    instance: dg.DagsterInstance,
) -> None:
    report = ["platform", "freshness"]
    for days in (50, 9, 8, 7):
        sensed_at(instance, ago(days=days))
        sensed_at(instance, ago(days=days), report)
    gone = purge_sensed_events(instance, NOW, Keep(), {dg.AssetKey(report).to_string()})
    kept = instance.fetch_materializations(dg.AssetKey("source"), limit=10).records
    assert [round((NOW.timestamp() - record.timestamp) / 86_400) for record in kept] == [7]
    assert len(instance.fetch_materializations(dg.AssetKey(report), limit=10).records) == 3
    assert gone == 4
    assert purge_sensed_events(instance, NOW, Keep(), {dg.AssetKey(report).to_string()}) == 0


def test_what_goes_on_is_never_deleted(instance: dg.DagsterInstance, s3: S3) -> None:
    job = DEFINITIONS.resolve_implicit_global_asset_job_def()
    run = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    figures = housekeep(
        instance, s3.settings, target_dir=NOTHING, keep=Keep(runs=timedelta(seconds=-60), files=timedelta(0))
    )
    assert figures["runs deleted"] == 0
    assert instance.get_run_by_id(run.run_id) is not None


def test_of_check_results_the_last_stays(instance: dg.DagsterInstance, s3: S3) -> None:
    table = AssetCheckExecutionsTable
    for passed in (False, True, True):
        instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=dg.AssetKey("often"), check_name="rows", passed=passed, metadata={}
            )
        )
    with instance.event_log_storage.index_connection() as connection:  # pyright: ignore
        ids = [row[0] for row in connection.execute(db.select(table.c.id).order_by(table.c.id))]
        old = table.update().values(create_timestamp=ago(days=60).replace(tzinfo=None))
        connection.execute(old.where(table.c.id.in_([ids[0], ids[2]])))
    figures = housekeep(instance, s3.settings, target_dir=NOTHING)
    assert figures["check executions deleted"] == 1
    with instance.event_log_storage.index_connection() as connection:  # pyright: ignore
        assert [row[0] for row in connection.execute(db.select(table.c.id).order_by(table.c.id))] == ids[1:]


def test_old_evaluations_go(instance: dg.DagsterInstance, s3: S3) -> None:
    table = AssetDaemonAssetEvaluationsTable
    storage = instance.schedule_storage
    with storage.connect() as connection:  # pyright: ignore
        for number, moment in enumerate((ago(days=9), ago(hours=1))):
            connection.execute(
                table.insert().values(
                    evaluation_id=number,
                    asset_key='["often"]',
                    asset_evaluation_body="{}",
                    num_requested=0,
                    create_timestamp=moment.replace(tzinfo=None),
                )
            )
    figures = housekeep(instance, s3.settings, target_dir=NOTHING)
    assert (figures["evaluations before"], figures["evaluations after"]) == (2, 1)
    with storage.connect() as connection:  # pyright: ignore
        assert [row[0] for row in connection.execute(db.select(table.c.evaluation_id))] == [1]


@pytest.mark.parametrize(("age", "left"), [(timedelta(0), 0), (timedelta(days=2), 2)])
def test_staged_objects_and_dbt_folders_go_by_age(
    instance: dg.DagsterInstance, s3: S3, tmp_path: Path, age: timedelta, left: int
) -> None:
    for name in ("stir_dbt-old", "stir_dbt-new", "keep-this"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text("x" * 100)
    long_ago = ago(days=5).timestamp()
    os.utime(tmp_path / "stir_dbt-old", (long_ago, long_ago))
    for number in range(2):
        s3.client.put_object(Bucket=s3.bucket, Key=f"{s3.prefix}/public.t/run/{number}", Body=b"rows")
    s3.client.put_object(Bucket=s3.bucket, Key=f"{s3.prefix}-somebody-else/x", Body=b"theirs")
    figures = housekeep(instance, s3.settings, target_dir=tmp_path, keep=Keep(files=age))
    found = s3.client.list_objects_v2(Bucket=s3.bucket, Prefix=f"{s3.prefix}/").get("KeyCount")
    assert found == left
    assert figures["staged objects deleted"] == 2 - left
    assert not (tmp_path / "stir_dbt-old").exists()
    assert (tmp_path / "stir_dbt-new").exists() is (age > timedelta(0))
    assert (tmp_path / "keep-this").exists()
    assert s3.client.list_objects_v2(Bucket=s3.bucket, Prefix=f"{s3.prefix}-somebody")["KeyCount"] == 1
    s3.client.delete_object(Bucket=s3.bucket, Key=f"{s3.prefix}-somebody-else/x")
