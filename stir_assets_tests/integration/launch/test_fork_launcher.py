"""What the fork launcher promises: warm, isolated, bounded, cancellable, watched, never with old code."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from typing import Any

import clickhouse_connect
import dagster as dg
import pytest
from dagster._core.launcher.base import WorkerStatus
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher
from dagster._daemon.monitoring.run_monitoring import monitor_started_run

from stir_assets.errors import ConfigError
from stir_assets.launch.launcher import LAUNCHER_TAG, StirRunLauncher
from stir_assets.settings import ClickHouseSettings
from stir_assets_tests.fixtures.stack import clean_environment
from stir_assets_tests.integration.launch.runs import CODE, Location, is_alive, location, wait_until

pytestmark = pytest.mark.slow

SUCCESS, FAILURE, CANCELED = (
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
)


@pytest.fixture(scope="module")
def here(
    tmp_path_factory: pytest.TempPathFactory, clickhouse_server: ClickHouseSettings
) -> Iterator[Location]:
    server = clickhouse_server
    env = clean_environment() | {
        "STIR_CLICKHOUSE_HOST": server.host,
        "STIR_CLICKHOUSE_PORT": str(server.port),
        "STIR_CLICKHOUSE_USER": server.user,
        "STIR_CLICKHOUSE_PASSWORD": server.password,
        # The sweep of a cancelled run's queries reads all settings.
        "STIR_POSTGRES_DSN": "postgresql://unused",
        "STIR_S3_BUCKET": "unused",
    }
    with location(tmp_path_factory.mktemp("launch"), env) as found:
        yield found


def forked(here: Location, run_id: str) -> bool:
    return here.run(run_id).tags.get(LAUNCHER_TAG) == "fork"


def test_every_run_is_a_process_of_its_own_forked_by_the_zygote(here: Location) -> None:
    """So there is one dbt invocation a process, however many runs there are at once."""
    first, second = here.launch("quick"), here.launch("quick")
    assert (here.ended(first), here.ended(second)) == (SUCCESS, SUCCESS)
    assert forked(here, first)
    pids, parents = zip(*(here.said(run_id).split()[1:] for run_id in (first, second)), strict=True)
    assert len(set(pids)) == 2
    assert here.zygote is not None
    assert set(parents) == {str(here.zygote.pid)}


def test_a_run_that_wants_too_much_memory_fails_alone(here: Location) -> None:
    greedy = here.launch("greedy")
    assert here.ended(greedy) is FAILURE
    messages = [
        event.dagster_event.event_specific_data
        for event in here.instance.all_logs(greedy)
        if event.dagster_event
    ]
    assert any("MemoryError" in str(message) for message in messages)
    assert here.ended(here.launch("quick")) is SUCCESS


@pytest.mark.parametrize("how", ["killed", "crashing"])
def test_a_dead_worker_is_seen_by_run_monitoring_and_harms_no_neighbour(here: Location, how: str) -> None:
    neighbour = here.launch("slow")
    here.said(neighbour)
    dead = here.launch("slow" if how == "killed" else "crashing")
    if how == "killed":
        here.said(dead)
        os.kill(here.worker(dead).pid, signal.SIGKILL)
    wait_until(lambda: here.worker(dead).exit_code is not None)
    health = here.launcher.check_run_worker_health(here.run(dead))
    assert health.status is WorkerStatus.FAILED
    assert ("SIGKILL" if how == "killed" else "SIGSEGV") in (health.msg or "")
    assert here.run(dead).status is dg.DagsterRunStatus.STARTED
    _monitor(here, dead)
    assert here.run(dead).status is FAILURE
    _monitor(here, neighbour)
    assert here.run(neighbour).status is dg.DagsterRunStatus.STARTED
    here.launcher.terminate(neighbour)
    assert here.ended(neighbour) is CANCELED


def _monitor(here: Location, run_id: str) -> None:
    """One look of Dagster's monitoring daemon."""
    record = here.instance.get_run_record_by_id(run_id)
    assert record is not None
    monitor_started_run(
        here.instance, here.workspace.create_request_context(), record, logging.getLogger("test")
    )


def test_cancel_ends_the_run_and_its_query_on_the_server(
    here: Location, clickhouse_server: ClickHouseSettings
) -> None:
    run_id = here.launch("querying")
    here.said(run_id)
    with clickhouse_connect.get_client(
        host=clickhouse_server.host,
        port=clickhouse_server.port,
        username=clickhouse_server.user,
        password=clickhouse_server.password,
    ) as client:

        def running() -> int:
            return client.query(
                "select count() from system.processes where Settings['log_comment'] = {run:String}",
                parameters={"run": run_id},
            ).first_row[0]

        wait_until(running)
        assert here.launcher.terminate(run_id)
        assert here.ended(run_id) is CANCELED
        wait_until(lambda: running() == 0)
    wait_until(lambda: not is_alive(here.worker(run_id).pid))
    assert here.launcher.terminate(run_id) is False


def test_changed_code_is_what_runs_from_the_first_run_on(here: Location) -> None:
    here.code.write_text(CODE.replace('VERSION = "one"', 'VERSION = "two"'))
    at_once = here.launch("quick")
    assert here.ended(at_once) is SUCCESS
    assert here.said(at_once).split()[0] == "two"

    def warm_again() -> bool:
        run_id = here.launch("quick")
        assert here.ended(run_id) is SUCCESS
        assert here.said(run_id).split()[0] == "two"
        return forked(here, run_id)

    wait_until(warm_again, 90)


def test_without_a_zygote_runs_take_the_stock_path_and_a_new_one_is_found(here: Location) -> None:
    running = here.launch("slow")
    here.said(running)
    assert here.zygote is not None
    here.zygote.kill()
    here.zygote.wait()
    # Its children are told, and end; nothing goes on unseen.
    wait_until(lambda: not is_alive(here.worker(running).pid))
    assert here.run(running).is_finished or (
        here.launcher.check_run_worker_health(here.run(running)).status is WorkerStatus.FAILED
    )
    stock = here.launch("quick")
    assert here.ended(stock) is SUCCESS
    assert not forked(here, stock)
    assert any("the stock way" in (event.message or "") for event in here.instance.all_logs(stock))
    here.start_zygote()
    warm = here.launch("quick")
    assert here.ended(warm) is SUCCESS
    assert forked(here, warm)


def test_a_run_is_started_once_whoever_asks(here: Location) -> None:
    """The answer of the zygote may be lost after the fork: the stock path must not start it again."""
    run_id = here.launch("quick")
    assert here.ended(run_id) is SUCCESS
    assert here.registry.claim(run_id) is False


@pytest.mark.parametrize(
    ("value", "launcher"),
    [(None, DefaultRunLauncher), ("", DefaultRunLauncher), ("default", DefaultRunLauncher)],
)
def test_the_stock_launcher_is_what_an_unset_environment_means(
    value: str | None, launcher: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STIR_RUN_LAUNCHER", raising=False)
    if value is not None:
        monkeypatch.setenv("STIR_RUN_LAUNCHER", value)
    assert type(StirRunLauncher.from_config_value(None, {})) is launcher


def test_another_launcher_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STIR_RUN_LAUNCHER", "rocket")
    with pytest.raises(ConfigError, match="fork, default, k8s"):
        StirRunLauncher.from_config_value(None, {})
