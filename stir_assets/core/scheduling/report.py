"""How fresh each asset's data is against its promise, and who is to blame when it is not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from stir_assets.core.durations import format_duration
from stir_assets.core.freshness import DeadlineTerms, FreshnessTerms, WindowTerms
from stir_assets.core.scheduling.data_time import ages, contained
from stir_assets.core.scheduling.model import Build, Graph, Node, Plan, State, Verdict
from stir_assets.core.scheduling.outlook import input_changed

# Two clocks are read within a run; data times that close are the same.
_SAME = 1.0


class Freshness(StrEnum):
    """Where a promise stands."""

    FRESH = "fresh"
    AT_RISK = "at risk"
    BROKEN = "broken"
    NEVER_BUILT = "never built"
    NO_PROMISE = "no promise"


@dataclass(frozen=True)
class AssetFreshness:
    """One asset. Times in seconds since the epoch, lags in seconds."""

    key: str
    managed: bool
    terms: FreshnessTerms | None
    state: Freshness
    data_time: float | None
    """Newest source event contained; None where nothing behind it has event times."""
    lag: float | None
    own_lag: float | None
    """The part of the lag that a run now would remove; the rest is the sources'."""
    built_at: float | None
    next_due: float | None
    verdict: str
    """The planner's word on it this moment."""
    blame: tuple[str, ...]
    """From the asset to the upstream that holds it back, empty while the promise is kept."""
    reason: str
    """What is wrong with the last of `blame`."""


def freshness_report(now: float, graph: Graph, state: State, plan: Plan) -> list[AssetFreshness]:
    """All assets in dependency order, as of `now`."""
    report = _Report(now, graph, state, plan)
    return [report.asset(key) for key in graph.order]


class _Report:
    def __init__(self, now: float, graph: Graph, state: State, plan: Plan) -> None:
        self.now, self.graph, self.state, self.plan = now, graph, state, plan
        self.possible: dict[str, float | None] = {}
        for key in graph.order:
            build = state.builds.get(key)
            own = build.data_time if build else None
            self.possible[key] = contained(graph, key, self.possible) if graph.nodes[key].managed else own

    def asset(self, key: str) -> AssetFreshness:
        node, build = self.graph.nodes[key], self.state.builds.get(key)
        data_time = build.data_time if build else None
        possible = self.possible[key]
        standing = self._standing(node)
        decision = self.plan.decisions.get(key)
        blame = self._blame(key) if standing not in (Freshness.FRESH, Freshness.NO_PROMISE) else ()
        behind = None if possible is None or data_time is None else max(0.0, possible - data_time)
        return AssetFreshness(
            key=key,
            managed=node.managed,
            terms=node.terms,
            state=standing,
            data_time=data_time,
            lag=None if data_time is None else self.now - data_time,
            own_lag=behind,
            built_at=build.built_at if build else None,
            next_due=decision.due_at if decision else None,
            verdict=str(decision.verdict) if decision else "",
            blame=blame,
            reason=self._reason(blame[-1]) if blame else "",
        )

    def _standing(self, node: Node) -> Freshness:
        build = self.state.builds.get(node.key)
        if node.terms is None:
            return Freshness.NO_PROMISE
        if build is None:
            return Freshness.NEVER_BUILT
        if build.data_time is not None:
            lag = self.now - build.data_time
        else:
            # Nothing behind it ages: it is as fresh as can be unless something waits to be read.
            waits = any(input_changed(self.state, node.key, dep) for dep in node.deps)
            lag = self.now - build.built_at if waits and node.managed else 0.0
        if isinstance(node.terms, WindowTerms):
            return self._window(node.terms, lag)
        return self._deadline(node.terms, lag, build.built_at)

    def _window(self, terms: WindowTerms, lag: float) -> Freshness:
        if lag > terms.fail.total_seconds():
            return Freshness.BROKEN
        return Freshness.AT_RISK if lag > terms.warn.total_seconds() else Freshness.FRESH

    def _deadline(self, terms: DeadlineTerms, lag: float, built_at: float) -> Freshness:
        last = terms.last_before(self.now)
        if lag > terms.lookback.total_seconds() or built_at < last - 86_400:
            return Freshness.BROKEN
        # Built since the deadline before the last, but not for the last one: late, still within the lookback.
        return Freshness.AT_RISK if built_at < last - 12 * 3600 else Freshness.FRESH

    # -- blame

    def _blame(self, key: str) -> tuple[str, ...]:
        """Downwards along the oldest data, to the source or to the asset that a run would freshen."""
        path = [key]
        while (deeper := self._deeper(path[-1])) is not None:
            path.append(deeper)
        return tuple(path)

    def _deeper(self, key: str) -> str | None:
        node, build = self.graph.nodes[key], self.state.builds.get(key)
        if not node.managed:
            return None
        deps = [dep for dep in node.deps if dep in self.graph.nodes]
        if build is None:
            # Waits for an input that is not there; without one it waits for its own turn.
            missing = [dep for dep in deps if dep not in self.state.builds]
            return min(missing, default=None)
        if build.data_time is None:
            return None
        aging = {
            dep: self.state.builds[dep].data_time
            for dep in deps
            if ages(self.graph, node, dep) and dep in self.state.builds
        }
        times = {dep: time for dep, time in aging.items() if time is not None}
        if not times:
            return None
        oldest = min(times, key=lambda dep: (times[dep], dep))
        return oldest if times[oldest] <= build.data_time + _SAME else None

    def _reason(self, key: str) -> str:
        node, build = self.graph.nodes[key], self.state.builds.get(key)
        if not node.managed:
            return self._source_reason(build)
        failures = self.state.failures.get(key)
        if failures is not None and failures.count:
            return f"failed {failures.count} times since its last success"
        decision = self.plan.decisions.get(key)
        verdict = decision.verdict if decision else None
        if key in self.state.busy:
            return str(Verdict.BUSY)
        if verdict is Verdict.UPSTREAM_BUSY and decision and decision.because:
            return f"waits for {decision.because}, which runs"
        if verdict is Verdict.FRESH and decision and decision.due_at is not None:
            return f"next due in {format_duration(timedelta(seconds=max(0.0, decision.due_at - self.now)))}"
        return str(verdict) if verdict else "not decided on"

    def _source_reason(self, build: Build | None) -> str:
        if build is None:
            return "the source table is empty or missing"
        if build.data_time is None:
            return "the source changed and has not been read"
        return f"newest event is {format_duration(timedelta(seconds=self.now - build.data_time))} old"
