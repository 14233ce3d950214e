"""dagster.yaml as it stands in the repository, loaded with nothing but environment variables."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest
import yaml
from dagster import DagsterInstance
from dagster._core.test_utils import freeze_time
from dagster._daemon.monitoring.concurrency import execute_concurrency_slots_iteration

from stir_assets.settings import REPO_ROOT
from stir_assets_tests.fixtures.s3 import S3


@dg.op
def speak() -> None:
    print("said by the step")


@dg.job(executor_def=dg.in_process_executor)
def talk() -> None:
    speak()


def read_output(instance: DagsterInstance, run_id: str) -> str:
    events = instance.all_logs(run_id)
    key = next(
        event.dagster_event.event_specific_data.file_key  # pyright: ignore
        for event in events
        if event.dagster_event and event.dagster_event.event_type_value == "LOGS_CAPTURED"
    )
    data = instance.compute_log_manager.get_log_data([run_id, "compute_logs", key])
    return (data.stdout or b"").decode()


def test_runs_and_their_output_are_stored_from_the_environment_alone(
    instance: DagsterInstance, dagster_home: Path
) -> None:
    assert instance.telemetry_enabled is False
    result = talk.execute_in_process(instance=instance)
    assert instance.get_run_by_id(result.run_id) is not None
    assert "said by the step" in read_output(instance, result.run_id)
    assert list((dagster_home / "storage").rglob("*.out"))
    assert not list(dagster_home.rglob("*.db")), "nothing may fall back to SQLite"


def test_output_goes_to_s3_when_a_bucket_is_named(
    dagster_home: Path, s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STIR_LOG_BUCKET", s3.bucket)
    with DagsterInstance.get() as instance:
        result = talk.execute_in_process(instance=instance)
        assert "said by the step" in read_output(instance, result.run_id)
    # The upload ends in a thread of its own.
    for _ in range(50):
        stored = s3.client.list_objects_v2(Bucket=s3.bucket)
        if any(result.run_id in item["Key"] for item in stored.get("Contents", [])):
            return
        time.sleep(0.2)
    raise AssertionError("no output of the run arrived in the bucket")


def test_queue_and_freshness_are_set(instance: DagsterInstance) -> None:
    settings = yaml.safe_load((REPO_ROOT / "dagster.yaml").read_text())
    assert settings["storage"]["custom"]["config"]["postgres_db"]["scheme"] == "postgresql+psycopg2"
    queue = instance.get_concurrency_config().run_queue_config
    assert queue is not None
    assert 4 <= queue.max_concurrent_runs <= 8
    assert queue.tag_concurrency_limits == [{"key": "stir/lane", "value": "heavy", "limit": 1}]
    assert instance.get_settings("freshness") == {"enabled": True}
    assert instance.run_monitoring_enabled


@pytest.mark.parametrize(("ended_seconds_ago", "held"), [(10, 1), (600, 0)])
def test_a_killed_worker_does_not_keep_its_place_in_a_pool(
    instance: DagsterInstance, ended_seconds_ago: int, held: int
) -> None:
    """Not at once, because a run that ends in order gives it back by itself."""
    run = instance.create_run_for_job(talk, status=dg.DagsterRunStatus.STARTED)
    instance.event_log_storage.set_concurrency_slots("postgres", 1)
    assert instance.event_log_storage.claim_concurrency_slot("postgres", run.run_id, "speak").is_claimed
    with freeze_time(datetime.now(UTC) - timedelta(seconds=ended_seconds_ago)):
        instance.report_run_failed(run, "the worker was killed")
    daemon = SimpleNamespace(instance=instance)
    list(execute_concurrency_slots_iteration(daemon, logging.getLogger()))  # pyright: ignore[reportArgumentType]
    assert instance.event_log_storage.get_concurrency_info("postgres").active_slot_count == held


def test_workspace_names_the_one_location() -> None:
    workspace = yaml.safe_load((REPO_ROOT / "workspace.yaml").read_text())
    assert workspace == {
        "load_from": [{"python_module": {"module_name": "stir_assets.definitions", "location_name": "stir"}}]
    }
