"""The alerts sensor on a real Dagster instance, tick by tick, telling a double of Slack."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.definitions.sensor_definition import SensorType
from dagster._core.remote_origin import (
    InProcessCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster._core.storage.schedules.sqlite.sqlite_schedule_storage import SqliteScheduleStorage
from dagster._core.test_utils import freeze_time
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster_shared.error import SerializableErrorInfo

from stir_assets.automation.alerts.page import PAGE_KEY
from stir_assets.automation.alerts.sensor import alert_sensor
from stir_assets.automation.alerts.store import load_memory
from stir_assets.core.alerts.policy import AlertPolicy
from stir_assets.errors import TransientError
from stir_assets.resources.slack import LogAlerts, SlackAlerts
from stir_assets_tests.fixtures.slack import TOKEN, SlackDouble
from stir_assets_tests.integration.automation.simulated import World, asset, source

WINDOW = {"warn": "15m", "fail": "30m"}
STREAM = {"warn": "10m", "fail": "20m"}
MINUTE = timedelta(minutes=1)
STEP = 2 * MINUTE


class Watched:
    """A simulated world with an on-call: `pass_time` lets the scheduler and the alerts tick."""

    def __init__(self, assets: list[Any], slack: SlackDouble) -> None:
        self.world = World(assets)
        # An ephemeral instance has none: no daemon ticks on it.
        self.schedules = tempfile.TemporaryDirectory()
        self.world.instance._schedule_storage = SqliteScheduleStorage.from_local(self.schedules.name)
        self.world.instance._schedule_storage.register_instance(self.world.instance)
        self.slack = slack
        self.channel: Any = SlackAlerts(token=TOKEN, api_url=slack.url)
        self.restart()

    def restart(self) -> None:
        """The code server anew: nothing is left but the instance."""
        sensor = alert_sensor(
            AlertPolicy(),
            ui_url="http://ui",
            secrets=["hunter22-of-ours"],
            clock=lambda: self.world.now.timestamp(),
        )
        self.repository = dg.Definitions(
            assets=self.world.assets, sensors=[sensor], resources={"alert_channel": self.channel}
        ).get_repository_def()

    def tick(self) -> None:
        with freeze_time(self.world.now):
            context = dg.build_sensor_context(
                instance=self.world.instance,
                repository_def=self.repository,
                resources={"alert_channel": self.channel},
            )
            result = self.repository.get_sensor_def("alerts").evaluate_tick(context)
            for event in result.asset_events:
                self.world.instance.report_runless_asset_event(event)

    def pass_time(self, duration: timedelta, *, sources: tuple[str, ...] = ()) -> None:
        until = self.world.now + duration
        while self.world.now < until:
            self.world.pass_time(STEP, sources=sources, every=STEP)
            self.tick()


@pytest.fixture
def broken() -> set[str]:
    return set()


def failing(name: str, deps: list[str], error: list[Exception]) -> dg.AssetsDefinition:
    """An asset that raises what the list holds."""
    from stir_assets.automation.condition import freshness_driven
    from stir_assets.automation.graph import terms_metadata
    from stir_assets.core.freshness import parse_terms

    @dg.asset(
        name=name,
        deps=[dg.AssetKey(dep) for dep in deps],
        metadata=terms_metadata(parse_terms(WINDOW, where=name), WINDOW),
        automation_condition=freshness_driven(),
        owners=["team:data"],
    )
    def build() -> None:
        if error:
            raise error[0]

    return build


def test_a_dead_source_is_one_message_that_lists_what_it_endangers_and_one_recovery(
    slack: SlackDouble,
) -> None:
    marts = [asset(f"mart{n}", ["stream"], WINDOW) for n in range(3)]
    on_call = Watched([source("stream", STREAM), *marts], slack)
    on_call.pass_time(8 * MINUTE, sources=("stream",))
    assert slack.posted == []
    on_call.pass_time(60 * MINUTE)
    [head] = slack.heads
    assert head.title == "stream: source stopped"
    assert "Endangers no serving table and 3 models." in head.body
    assert "<http://ui/assets/stream|stream>" in head.body
    told = "\n".join(reply.body for reply in slack.replies(head)) + head.body
    assert all(f"mart{n}" in told for n in range(3))
    assert len(slack.replies(head)) <= 5
    on_call.restart()
    on_call.pass_time(30 * MINUTE, sources=("stream",))
    assert slack.heads == [head]
    assert slack.replies(head)[-1].title == "well again: stream: source stopped"
    assert head.title == "well again: stream: source stopped"


def test_a_broken_model_is_one_message_through_its_retries_until_it_is_given_up(
    slack: SlackDouble, broken: set[str]
) -> None:
    on_call = Watched(
        [
            source("stream", STREAM),
            asset("mart", ["stream"], WINDOW, broken=broken),
            asset("reader", ["mart"], WINDOW),
        ],
        slack,
    )
    on_call.pass_time(8 * MINUTE, sources=("stream",))
    broken.add("mart")
    on_call.pass_time(50 * MINUTE, sources=("stream",))
    [head] = slack.heads
    assert "mart is broken" in head.body
    assert "http://ui/runs/" in head.body
    replies = slack.replies(head)
    [given_up] = [reply for reply in replies if reply.title.startswith("now critical")]
    assert given_up.broadcast
    assert "Given up after 4 failures" in given_up.body
    # What reads it is listed in the same thread.
    assert any("reader" in reply.body for reply in replies)
    broken.clear()
    on_call.world.execute(["mart"])
    on_call.pass_time(8 * MINUTE, sources=("stream",))
    assert slack.heads == [head]
    assert slack.replies(head)[-1].title.startswith("well again")


def test_a_refused_publication_names_its_guard_and_secrets_stay_here(slack: SlackDouble) -> None:
    error: list[Exception] = []
    on_call = Watched([source("stream", STREAM), failing("board", ["stream"], error)], slack)
    on_call.pass_time(8 * MINUTE, sources=("stream",))
    error.append(
        dg.Failure(
            "board: 10 rows against 100 live ones (postgresql://stir:pa55word@db/x, hunter22-of-ours)",
            metadata={"guard": "max_shrink"},
            allow_retries=False,
        )
    )
    on_call.pass_time(16 * MINUTE, sources=("stream",))
    [head] = slack.heads
    assert head.title == "board: publication refused"
    assert "guard max_shrink: board: 10 rows against 100 live ones" in head.body
    assert "pa55word" not in head.body
    assert "hunter22" not in head.body


def test_an_engine_that_does_not_answer_is_one_message_for_all_that_need_it(slack: SlackDouble) -> None:
    error: list[Exception] = []
    on_call = Watched(
        [source("stream", STREAM), *(failing(f"mart{n}", ["stream"], error) for n in range(3))], slack
    )
    on_call.pass_time(8 * MINUTE, sources=("stream",))
    error.append(TransientError("ClickHouse at db:8123 does not answer as user 'stir'"))
    on_call.pass_time(15 * MINUTE, sources=("stream",))
    [head] = slack.heads
    assert head.title.startswith("run failed: ")
    assert "does not answer" in head.body


def test_a_run_whose_worker_died_is_one_message_for_all_its_assets(slack: SlackDouble) -> None:
    """A stack that started slowly lost a run of sixteen assets: sixteen messages."""
    on_call = Watched(
        [source("stream", STREAM), *(asset(f"mart{n}", ["stream"], WINDOW) for n in range(3))], slack
    )
    on_call.world.paused = True
    on_call.world.event("stream")
    run = on_call.world.unfinished([f"mart{n}" for n in range(3)])
    on_call.world.end(run, dg.DagsterRunStatus.FAILURE)
    on_call.tick()
    [head] = slack.heads
    assert head.title == "run failed: 3 of mart0, mart1, mart2"
    assert "the run worker died or never started" in head.body


def test_a_scrape_flow_that_is_down_is_told_with_its_platform(slack: SlackDouble) -> None:
    on_call = Watched(
        [dg.AssetSpec(dg.AssetKey(["scrape", name])) for name in ("refresh_yt_posts", "refresh_yt_profiles")],
        slack,
    )

    def report(state: str) -> None:
        for name in ("refresh_yt_posts", "refresh_yt_profiles"):
            with freeze_time(on_call.world.now):
                on_call.world.instance.report_runless_asset_event(
                    dg.AssetMaterialization(
                        ["scrape", name], metadata={"state": state, "because": "no answer"}
                    )
                )

    report("at risk")
    on_call.pass_time(2 * MINUTE)
    assert slack.posted == []
    report("down")
    on_call.pass_time(2 * MINUTE)
    [head] = slack.heads
    assert head.title == "scrape flow down: 2 of scrape"
    report("healthy")
    on_call.pass_time(6 * MINUTE)
    assert slack.replies(head)[-1].title.startswith("well again")


def test_without_a_token_the_same_goes_to_the_log_and_to_the_page(
    slack: SlackDouble, caplog: pytest.LogCaptureFixture
) -> None:
    on_call = Watched([source("stream", STREAM), asset("mart", ["stream"], WINDOW)], slack)
    on_call.channel = LogAlerts()
    on_call.restart()
    on_call.pass_time(2 * MINUTE, sources=("stream",))
    on_call.pass_time(30 * MINUTE)
    assert slack.calls == 0
    assert "[warning] stream: source stopped" in caplog.text
    page = on_call.world.instance.get_latest_materialization_event(PAGE_KEY)
    assert page is not None
    assert page.asset_materialization is not None
    metadata = page.asset_materialization.metadata
    assert metadata["open incidents"].value == 1
    assert "stream: source stopped" in str(metadata["messages"].value)
    assert len(load_memory(on_call.world.instance).to_json()) < 5000


def test_a_sensor_that_fails_tick_after_tick_is_told_with_its_error(slack: SlackDouble) -> None:
    """The scheduler itself: without it nothing runs, and nothing else would say why."""
    on_call = Watched([source("stream", STREAM), asset("mart", ["stream"], WINDOW)], slack)
    state = sensor_state(on_call.world.instance)
    tick_of(on_call, state, None)
    on_call.pass_time(STEP, sources=("stream",))
    for _ in range(2):
        tick_of(on_call, state, refused("Every check of marts is asked for, password=hunter33"))
        on_call.pass_time(STEP, sources=("stream",))
    assert slack.posted == []
    tick_of(on_call, state, refused("Every check of marts is asked for, password=hunter33"))
    on_call.pass_time(STEP, sources=("stream",))
    [head] = slack.heads
    assert head.title == "sensor freshness: sensor failing"
    assert "Every check of marts is asked for" in head.body
    assert "hunter33" not in head.body
    assert "<http://ui/automation|" in head.body
    tick_of(on_call, state, None)
    on_call.pass_time(10 * MINUTE, sources=("stream",))
    assert head.title == "well again: sensor freshness: sensor failing"


def sensor_state(instance: dg.DagsterInstance) -> InstigatorState:
    origin = RemoteInstigatorOrigin(
        RemoteRepositoryOrigin(InProcessCodeLocationOrigin(LoadableTargetOrigin(), "stir"), "stir"),
        "freshness",
    )
    state = InstigatorState(
        origin,
        InstigatorType.SENSOR,
        InstigatorStatus.DECLARED_IN_CODE,
        SensorInstigatorData(sensor_type=SensorType.AUTOMATION),
    )
    return instance.add_instigator_state(state)


def refused(message: str) -> SerializableErrorInfo:
    """As the daemon has it: the error of the code server around the one that says why."""
    why = SerializableErrorInfo(message, [], "DagsterInvalidSubsetError")
    return SerializableErrorInfo("DagsterUserCodeProcessError", [], "DagsterUserCodeProcessError", cause=why)


def tick_of(on_call: Watched, state: InstigatorState, error: SerializableErrorInfo | None) -> None:
    on_call.world.instance.create_tick(
        TickData(
            instigator_origin_id=state.instigator_origin_id,
            instigator_name=state.instigator_name,
            instigator_type=InstigatorType.SENSOR,
            status=TickStatus.FAILURE if error else TickStatus.SKIPPED,
            timestamp=on_call.world.now.timestamp(),
            selector_id=state.selector_id,
            error=error,
        )
    )
