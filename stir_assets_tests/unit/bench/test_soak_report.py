"""A soak tells whose lateness is whose."""

from __future__ import annotations

from stir_assets.bench.soak_report import Cause, Fault, Sample, not_kept
from stir_assets.core.freshness import within
from stir_assets.core.scheduling.model import Graph, Node
from stir_assets.core.scheduling.report import AssetFreshness, Freshness

GRAPH = Graph.of([Node("s", managed=False), Node("a", deps=("s",), terms=within(warn="5m", fail="10m"))])


def sample(at: float, lag: float, own: float) -> Sample:
    state = Freshness.BROKEN if lag > 600 else Freshness.FRESH
    asset = AssetFreshness("a", True, GRAPH.nodes["a"].terms, state, at - lag, lag, own, at, None, "", (), "")
    return Sample(at, {"a": asset})


def causes(*samples: Sample, faults: tuple[Fault, ...] = ()) -> list[Cause]:
    return [found.cause for found in not_kept(GRAPH, samples, faults, "a")]


def test_what_is_broken_in_the_first_minutes_is_the_starts_and_later_the_schedulers() -> None:
    assert causes(sample(0, 900, 900), sample(500, 100, 90)) == [Cause.START]
    assert causes(sample(0, 900, 900), sample(500, 1400, 1390), sample(700, 1600, 1590)) == [
        Cause.START,
        Cause.START,
        Cause.OWN,
    ]


def test_what_no_run_could_mend_is_the_sources_and_so_is_the_time_to_mend_it_then() -> None:
    stopped = [sample(0, 60, 50), sample(2000, 700, 0), sample(2060, 760, 750), sample(2130, 830, 820)]
    assert causes(*stopped) == [Cause.SOURCE, Cause.SOURCE, Cause.OWN]


def test_a_fault_excuses_what_it_affects_while_it_lasts() -> None:
    samples = sample(0, 60, 50), sample(2000, 700, 690), sample(3000, 700, 690)
    broken = Fault("a model broke", 1500, {}, ended=2500, affects=frozenset({"a"}))
    assert causes(*samples, faults=(broken,)) == [Cause.FAULT, Cause.OWN]
    assert causes(*samples, faults=(Fault("another", 1500, {}, ended=2500),)) == [Cause.OWN, Cause.OWN]
