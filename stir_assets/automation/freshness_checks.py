"""Freshness in the lineage view: a check of every promised asset, reported when its state changes.

The open-source UI has no asset health; it shows checks. Runs that the scheduler asks for leave this check out:
it would be one more step, and the sensor reports it within a minute.
"""

# No `from __future__ import annotations` here: Dagster reads the annotations of the check at run time.

from collections.abc import Iterator, Mapping, Sequence

import dagster as dg

from stir_assets.automation.check_results import as_result
from stir_assets.automation.freshness import blame_words, lag_words, observe_platform
from stir_assets.core.scheduling.model import Graph
from stir_assets.core.scheduling.report import AssetFreshness, Freshness

FRESHNESS = "freshness"


def freshness_evaluation(asset: AssetFreshness, name: str = FRESHNESS) -> dg.AssetCheckEvaluation:
    """Where a promise stands, as a check: a warning while at risk, an error when broken."""
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey.from_user_string(asset.key),
        check_name=name,
        passed=asset.state is Freshness.FRESH,
        severity=dg.AssetCheckSeverity.WARN
        if asset.state is Freshness.AT_RISK
        else dg.AssetCheckSeverity.ERROR,
        description=blame_words(asset) or None,
        metadata={
            "state": str(asset.state),
            "promised": str(asset.terms),
            "lag": lag_words(asset.lag),
            **({} if asset.lag is None else {"lag in seconds": round(asset.lag, 1)}),
        },
    )


def changed(assets: Sequence[AssetFreshness], before: Mapping[str, str]) -> list[AssetFreshness]:
    """Promised assets whose state is another than the one reported last."""
    return [
        asset
        for asset in assets
        if asset.terms is not None
        and asset.state is not Freshness.NEVER_BUILT
        and before.get(asset.key) != str(asset.state)
    ]


def build_freshness_checks(graph: Graph, named: Mapping[str, str]) -> dg.AssetChecksDefinition:
    """`freshness` of every promised model and source. `named`: assets that have a check of their own for it."""

    @dg.multi_asset_check(
        name="freshness_checks",
        specs=[
            dg.AssetCheckSpec(
                FRESHNESS,
                asset=dg.AssetKey.from_user_string(key),
                description=f"Its data is as fresh as promised: {node.terms}.",
            )
            for key, node in graph.nodes.items()
            if node.terms is not None and key not in named
        ],
        can_subset=True,
    )
    def check(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        wanted = {key.asset_key.to_user_string() for key in context.selected_asset_check_keys}
        for asset in observe_platform(context.instance, graph).assets:
            if asset.key in wanted:
                yield as_result(freshness_evaluation(asset))

    return check
