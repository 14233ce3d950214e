"""Freshness terms as Dagster's own policies, so that its UI, health and APIs tell the same story.

Dagster counts from the last materialization, Stir from the data; docs/freshness.md says where the two differ.
"""

from __future__ import annotations

from datetime import timedelta
from functools import cache

import dagster as dg

from stir_assets.core.freshness import DeadlineTerms, FreshnessTerms


# Dagster walks through a thousand dates to check a cron's interval, and dagster-dbt asks for a spec many times over.
@cache
def freshness_policy(terms: FreshnessTerms) -> dg.FreshnessPolicy:
    """Dagster's policy for `terms`. A deadline becomes a daily cron whose window opens a day before it."""
    if isinstance(terms, DeadlineTerms):
        return dg.FreshnessPolicy.cron(
            deadline_cron=f"{terms.deadline.minute} {terms.deadline.hour} * * *",
            # Dagster wants the window no longer than the cron's interval.
            lower_bound_delta=min(terms.lookback, timedelta(hours=24)),
            timezone="UTC",
        )
    return dg.FreshnessPolicy.time_window(fail_window=terms.fail, warn_window=terms.warn)
