"""A check that a sensor reports without a run, when it is asked for in a run."""

from __future__ import annotations

import dagster as dg


def as_result(evaluation: dg.AssetCheckEvaluation) -> dg.AssetCheckResult:
    """The same finding as an op yields it."""
    return dg.AssetCheckResult(
        asset_key=evaluation.asset_key,
        check_name=evaluation.check_name,
        passed=evaluation.passed,
        severity=evaluation.severity,
        description=evaluation.description,
        metadata=evaluation.metadata,
    )
