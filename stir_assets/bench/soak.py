"""The platform by itself: `stir bench soak`.

The world advances, nothing but freshness terms decides, and three faults are injected: a model breaks, a source
stops, the daemon is killed. Reports promised against measured for every asset, runs, retries and idle cost.

How long each lasts follows from what is to be seen of it. The model is broken for five minutes, begun when it is
nearly due, which is room for three of its four attempts (the waits are 1, 2 and 4 minutes). The source stops for as
long as its silence takes to be told: five minutes until a promise is at risk, five in which it stays so. The daemon
dies meanwhile. After each fault the recovery is waited for, which is told when it has lasted three minutes: what is
late again before that belongs to the same incident.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import dagster as dg
import psutil
from clickhouse_connect.driver.client import Client
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import TickStatus

from stir_assets.automation.alerts.store import load_memory
from stir_assets.automation.decide import POLICY
from stir_assets.automation.durations import Durations
from stir_assets.automation.freshness import observe_platform
from stir_assets.automation.graph import graph_of
from stir_assets.automation.sensors import SENSOR_NAME
from stir_assets.bench.latency import recent_scl
from stir_assets.bench.soak_report import Cause, Fault, Sample, build_report, not_kept, render
from stir_assets.bench.world_clock import WorldClock
from stir_assets.build import build_definitions
from stir_assets.core.alerts.model import Action, Message
from stir_assets.core.clickhouse import clickhouse_client
from stir_assets.core.scheduling.model import Graph, Verdict
from stir_assets.core.scheduling.report import Freshness
from stir_assets.errors import ConfigError
from stir_assets.local.connect import connected_settings
from stir_assets.local.stack import Stack
from stir_assets.settings import Settings

SAMPLE_SECONDS = 15.0
# The source with the shortest promise behind it, what fills it, and who reads it.
SOURCE = "beat_replica/recent_scrape_request_log"
STATEMENT = "042_recent_scrape_request_log"
MODEL = "stir/stg_beat_recent_scrape_request_log"
_TABLE = "stir.stg_beat_recent_scrape_request_log"
_BROKEN_SECONDS = 300.0
_STOPPED_SECONDS = 690.0
# A build is due within this time: attempts begin soon after the model broke.
_NEARLY_DUE = 40.0
_DUE_WITHIN = 420.0
_TOLD_WITHIN = 900.0
_SHARED = ("daemon", "code-server", "zygote")


@dataclass
class Soak:
    """One run of it: samples as they come, faults as they are injected."""

    settings: Settings
    instance: dg.DagsterInstance
    graph: Graph
    clock: WorldClock
    say: Callable[[str], None]
    started: float = field(default_factory=time.time)
    samples: list[Sample] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    cpu_of_the_dead: dict[str, float] = field(default_factory=dict)
    """Processor seconds of services that were killed."""
    _durations: Durations = field(default_factory=Durations)

    def sample(self) -> Sample:
        """State and lag of every asset now."""
        platform = observe_platform(self.instance, self.graph, self._durations)
        found = Sample(platform.now, {asset.key: asset for asset in platform.assets})
        self.samples.append(found)
        return found

    def watch(self, seconds: float, until: Callable[[Sample], bool] = lambda _: False) -> bool:
        """Samples for `seconds`, or until a sample says so; whether one did."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            begun = time.monotonic()
            if until(self.sample()):
                return True
            time.sleep(max(0.0, min(SAMPLE_SECONDS, end - begun) - (time.monotonic() - begun)))
        return False

    def source_stops(self, seconds: float, meanwhile: Callable[[], None]) -> None:
        """A source brings nothing: its reader is late, the source is blamed, nothing runs for it in vain.

        `meanwhile` happens once it is blamed: a promise at risk is told after five more minutes.
        """
        self.clock.stopped.add(STATEMENT)
        begun = time.time()
        self.say(f"{SOURCE} has stopped")

        def blamed(sample: Sample) -> bool:
            asset = sample.assets[MODEL]
            return asset.state in (Freshness.AT_RISK, Freshness.BROKEN) and asset.blame[-1:] == (SOURCE,)

        seen = self.watch(seconds, blamed)
        meanwhile()
        self.watch(begun + seconds - time.time())
        # One may still be owed to what arrived before.
        after = self._builds_of(MODEL, begun)
        self.clock.stopped.discard(STATEMENT)
        self.say(f"{SOURCE} goes on")
        recovered = self.watch(300, lambda sample: sample.assets[MODEL].state is Freshness.FRESH)
        self.faults.append(
            Fault(
                "a source stopped",
                begun,
                {
                    "its reader was late and the source was blamed": seen,
                    f"no runs without news ({after})": after <= 1,
                    "fresh again after it went on": recovered,
                },
                _is_root_of_source,
            )
        )

    def model_breaks(self, seconds: float) -> None:
        """A model cannot write its table: few attempts, others go on; repaired when it can."""
        others = {key for key, node in self.graph.nodes.items() if node.managed and key != MODEL}
        self.watch(_DUE_WITHIN, _is_nearly_due)
        with contextlib.closing(clickhouse_client(self.settings.clickhouse)) as client:
            # The name stays taken, and nobody can read or write it.
            client.command(f"DETACH TABLE {_TABLE} PERMANENTLY")
            begun = time.time()
            self.say(f"{MODEL} is broken: its table is detached")
            try:
                self.watch(seconds)
            finally:
                client.command(f"ATTACH TABLE {_TABLE}")
        failed, built = self._failed_runs(MODEL, begun), self._builds_since(others, begun)
        self.say(f"{MODEL} is repaired after {failed} failed runs")
        repaired = self.watch(420, lambda sample: sample.assets[MODEL].state is Freshness.FRESH)
        # Of a promise broken meanwhile it is known why.
        affected = frozenset({MODEL, *self._readers(MODEL)})
        fault = Fault(
            "a model broke",
            begun,
            {
                f"bounded attempts ({failed})": 2 <= failed <= POLICY.attempts,
                "fresh again after the repair": repaired,
            },
            lambda root: root == f"asset:{MODEL}",
            ended=time.time(),
            affects=affected,
        )
        harmed = self._harmed(others - affected, fault)
        unharmed = {f"others unharmed ({built} builds, late: {', '.join(harmed) or 'none'})": not harmed}
        self.faults.append(replace(fault, expected={**fault.expected, **unharmed}))

    def _harmed(self, others: set[str], fault: Fault) -> list[str]:
        """Assets whose promise was kept before, and then broken without an older source to blame."""
        before = [sample for sample in self.samples if sample.at < fault.at][-1]
        since = [sample for sample in self.samples if sample.at >= fault.at]
        return sorted(
            key
            for key in others
            if before.assets[key].state in (Freshness.FRESH, Freshness.AT_RISK)
            and any(each.cause is not Cause.SOURCE for each in not_kept(self.graph, since, [fault], key))
        )

    def daemon_dies(self) -> None:
        """The daemon is killed: its supervisor starts another, which catches up once."""
        before = self._service("daemon")
        self.cpu_of_the_dead["daemon"] = sum(before.cpu_times()[:2])
        begun = time.time()
        os.kill(before.pid, signal.SIGKILL)
        self.say(f"the daemon (pid {before.pid}) is killed")
        back = self.watch(180, lambda _: self._is_another_daemon(before.pid))
        self.watch(180)
        twice, ticks = self._asked_twice(begun), self._ticks(begun)
        self.faults.append(
            Fault(
                "the daemon was killed",
                begun,
                {
                    "another one was started": back,
                    f"decisions went on ({ticks} ticks, {len(self._records(begun))} runs)": ticks > 0,
                    f"nothing was asked for twice ({', '.join(twice) or 'none'})": not twice,
                },
            )
        )

    # -- what people were told

    def tell_alerts(self) -> None:
        """Adds to each fault that has an alert of its own whether it was told once, and its end once."""
        for number, fault in enumerate(self.faults):
            if fault.root is None:
                continue
            told, ended = self._told(fault)
            checks = {f"one alert ({told})": told == 1, f"one recovery told ({ended})": ended == 1}
            self.faults[number] = replace(fault, expected={**fault.expected, **checks})

    def recoveries_are_told(self) -> None:
        """Waits until the end of every fault was told, a quarter of an hour at most."""
        faults = [fault for fault in self.faults if fault.root is not None]
        self.watch(_TOLD_WITHIN, lambda _: all(self._told(fault)[1] for fault in faults))

    def _told(self, fault: Fault) -> tuple[int, int]:
        """How often a fault was told, and its end: where an incident goes on for another cause too, in an update."""
        memory = load_memory(self.instance)
        mine = [
            entry
            for entry in (*memory.history, *memory.outbox)
            if entry.at >= fault.at and fault.root is not None and fault.root(entry.root)
        ]
        # The incident of a whole schema may begin for the sake of another of its tables.
        begun = [
            entry
            for entry in mine
            if any(name in line for name in (MODEL, SOURCE) for line in (entry.title, *entry.lines))
        ]
        told = sum(entry.action is Action.OPEN or entry.title.startswith("again:") for entry in begun)
        joined = any(_names(entry, MODEL, over=False) for entry in mine)
        return told or int(joined), sum(_tells_the_end(entry) for entry in mine)

    # -- what the instance says

    def _readers(self, key: str) -> set[str]:
        found, todo = set(), [key]
        while todo:
            new = set(self.graph.children[todo.pop()]) - found
            found |= new
            todo += new
        return found

    def _ticks(self, since: float) -> int:
        """Decisions that were made since, whatever they said."""
        return sum(
            tick.status in (TickStatus.SUCCESS, TickStatus.SKIPPED)
            for state in self.instance.all_instigator_state(instigator_type=InstigatorType.SENSOR)
            if state.instigator_name == SENSOR_NAME
            for tick in self.instance.get_ticks(state.instigator_origin_id, state.selector_id, after=since)
        )

    def _records(self, since: float) -> list[Any]:
        return list(
            self.instance.get_run_records(dg.RunsFilter(created_after=datetime.fromtimestamp(since, UTC)))
        )

    def _failed_runs(self, key: str, since: float) -> int:
        return sum(
            record.dagster_run.status is dg.DagsterRunStatus.FAILURE
            and dg.AssetKey.from_user_string(key) in (record.dagster_run.asset_selection or ())
            for record in self._records(since)
        )

    def _builds_of(self, key: str, since: float) -> int:
        return self._builds_since({key}, since)

    def _builds_since(self, keys: set[str], since: float) -> int:
        return sum(
            key.to_user_string() in keys
            for record in self._records(since)
            for key in record.dagster_run.asset_selection or ()
        )

    def _asked_twice(self, since: float) -> list[str]:
        """Assets that were asked for again while, or just after, a run asked for before had them."""
        spans: dict[str, list[tuple[float, float]]] = {}
        for record in self._records(since):
            created = record.create_timestamp.timestamp()
            end = record.end_time or time.time()
            for key in record.dagster_run.asset_selection or ():
                spans.setdefault(key.to_user_string(), []).append((created, end))
        return sorted(key for key, found in spans.items() if _overlap(sorted(found)))

    def _service(self, name: str) -> psutil.Process:
        state = Stack().state()
        service = state.services.get(name) if state else None
        if service is None or service.process is None:
            raise ConfigError(f"the stack runs no {name}: start it whole with `stir up --detach`")
        return psutil.Process(service.process.pid)

    def _is_another_daemon(self, pid: int) -> bool:
        try:
            return self._service("daemon").pid != pid
        except (ConfigError, psutil.Error):
            return False

    def idle_cpu(self) -> dict[str, float]:
        """CPU seconds so far of the processes that run all the time; without the runs they fork."""
        return {
            name: sum(self._service(name).cpu_times()[:2]) + self.cpu_of_the_dead.get(name, 0.0)
            for name in _SHARED
        }


def _is_root_of_source(root: str) -> bool:
    """The incident of the source, or of the flows that fill it, whichever showed first."""
    return root == f"source:{SOURCE.split('/')[0]}" or root.startswith("scrape:")


def _tells_the_end(message: Message) -> bool:
    if message.action is Action.RESOLVE or message.title.startswith("came and went"):
        return True
    return _names(message, MODEL, over=True)


def _names(message: Message, key: str, *, over: bool) -> bool:
    """Whether an update says that something of this asset is over, or has begun."""
    lines = [line for line in message.lines if line.startswith("*well again*") is over]
    return message.action is Action.UPDATE and any(key in line for line in lines)


def _is_nearly_due(sample: Sample) -> bool:
    """The model has news to read and will be built at once."""
    asset = sample.assets[MODEL]
    soon = asset.next_due is not None and asset.next_due - sample.at < _NEARLY_DUE
    return soon and bool(asset.own_lag) and asset.verdict == Verdict.FRESH


def _overlap(spans: list[tuple[float, float]]) -> bool:
    return any(later[0] < earlier[1] for earlier, later in pairwise(spans))


def _keep_alive(clock: WorldClock, client: Client) -> None:
    """A request of ours with every step: in a small world the queue is silent for longer than its reader promises."""
    if STATEMENT not in clock.stopped:
        recent_scl(client).put(f"soak-{uuid.uuid4().hex[:12]}")


@contextlib.contextmanager
def _soak(say: Callable[[str], None]) -> Iterator[Soak]:
    settings = connected_settings()
    graph = graph_of(build_definitions(settings).get_repository_def().asset_graph)
    clock = WorldClock(settings, beside=_keep_alive)
    say(f"the world is {clock.behind():.0f} s behind; advancing it to now")
    clock.advance()
    with dg.DagsterInstance.get() as instance:
        clock.start()
        try:
            yield Soak(settings, instance, graph, clock, say)
        finally:
            clock.stop()


@click.command()
@click.option(
    "--minutes",
    type=click.FloatRange(min=5),
    default=20.0,
    show_default=True,
    help="At least; the faults take about half an hour.",
)
@click.option(
    "--faults/--no-faults", default=True, show_default=True, help="Stop, break and kill on the way."
)
@click.option("--json", "as_json", type=click.Path(dir_okay=False, path_type=Path), help="Also write this.")
def command(minutes: float, faults: bool, as_json: Path | None) -> None:
    """Let the running local stack decide by itself while the world advances; report what it did."""
    with _soak(lambda text: click.echo(f"{datetime.now(UTC):%H:%M:%S} {text}", err=True)) as soak:
        cpu, begun = soak.idle_cpu(), time.time()
        end = begun + minutes * 60
        if faults:
            soak.model_breaks(_BROKEN_SECONDS)
            soak.recoveries_are_told()
            soak.source_stops(_STOPPED_SECONDS, soak.daemon_dies)
            soak.recoveries_are_told()
        soak.watch(end - time.time())
        soak.tell_alerts()
        spent = {name: now - cpu[name] for name, now in soak.idle_cpu().items()}
        report = build_report(soak.instance, soak.graph, soak.samples, soak.faults, begun, spent)
    for line in render(report):
        click.echo(line)
    if as_json:
        as_json.write_text(json.dumps(report, indent=2))
    if not all(all(fault["expected"].values()) for fault in report["faults"]):
        raise SystemExit(1)
