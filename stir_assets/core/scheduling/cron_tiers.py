"""The cron tiers that freshness terms replaced, as they were: what `stir plan` compares with.

dbt runs selected models by tag; publications ran on clocks of their own, with nothing but the time of day
between them and the models they read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

BATCH_HOURS = (19, 20, 21)
"""Two of the dbt runs skipped these hours, so that the daily batch had the warehouse to itself."""


@dataclass(frozen=True)
class Cron:
    """One pipeline. `schedule` has five fields, in UTC; one run at a time, what is missed is not made up for.

    `tag` selects the models it built, `publishes` the serving tables (`environment/table`) after them.
    """

    name: str
    schedule: str
    tag: str | None = None
    publishes: tuple[str, ...] = ()
    skips: tuple[int, ...] = ()

    def fires(self, moment: datetime) -> bool:
        """Whether it starts in the minute of `moment`."""
        minute, hour, day, month, weekday = self.schedule.split()
        return (
            moment.hour not in self.skips
            and _matches(minute, moment.minute, 0)
            and _matches(hour, moment.hour, 0)
            and _matches(day, moment.day, 1)
            and _matches(month, moment.month, 1)
            and _matches(weekday, moment.isoweekday() % 7, 0)
        )


def _matches(field: str, value: int, first: int) -> bool:
    for part in field.split(","):
        span, _, step = part.partition("/")
        low, _, high = span.partition("-")
        start = first if low == "*" else int(low)
        end = value if low == "*" or (step and not high) else int(high or low)
        if start <= value <= end and (value - start) % int(step or 1) == 0:
            return True
    return False


CRON_TIERS: tuple[Cron, ...] = (
    Cron("dbt_recent_scl", "*/5 * * * *", "recent_scl"),
    Cron("post_ranker_partial", "*/15 * * * *", "post_ranker_partial"),
    Cron(
        "dbt_collections",
        "*/30 * * * *",
        "collections",
        ("prod/collection_post_metrics_summary",),
        skips=BATCH_HOURS,
    ),
    Cron(
        "dbt_staging_collections",
        "*/30 * * * *",
        "staging_collections",
        ("staging/collection_post_metrics_summary",),
    ),
    Cron("dbt_refresh_account_tracker_stats", "0 * * * *", "account_tracker_stats"),
    Cron("dbt_hourly", "0 1-23/2 * * *", "hourly", skips=BATCH_HOURS),
    Cron("post_ranker", "0 */5 * * *", "post_ranker"),
    Cron("dbt_daily", "0 19 * * *", "daily"),
    Cron("dbt_gcc_orders", "0 0 * * *", "gcc_orders"),
    Cron("dbt_weekly", "0 6 */7 * *", "weekly"),
    Cron("sync_collection_post_summary_prod", "0 0 * * *", None, ("prod/collection_post_metrics_summary",)),
    Cron(
        "sync_collection_post_summary_staging",
        "0 0 * * *",
        None,
        ("staging/collection_post_metrics_summary",),
    ),
    Cron("sync_collection_post_ts_prod", "0 0 * * *", None, ("prod/collection_post_metrics_ts",)),
    Cron("sync_collection_post_ts_staging", "0 0 * * *", None, ("staging/collection_post_metrics_ts",)),
    Cron("sync_collection_hashtags_prod", "0 0 * * *", None, ("prod/collection_hashtag",)),
    Cron("sync_collection_keywords_prod", "0 0 * * *", None, ("prod/collection_keyword",)),
    Cron("sync_leaderboard_prod", "15 20 * * *", None, ("prod/leaderboard",)),
    Cron("sync_leaderboard_staging", "0 0 * * *", None, ("staging/leaderboard",)),
    Cron("sync_time_series_prod", "3 3 * * *", None, ("prod/social_profile_time_series",)),
    Cron("sync_time_series_staging", "0 4 * * *", None, ("staging/social_profile_time_series",)),
    Cron("sync_trending_content_prod", "0 0 * * *", None, ("prod/trending_content",)),
    Cron("sync_trending_content_staging", "0 4 * * *", None, ("staging/trending_content",)),
    Cron("sync_genre_overview_prod", "0 0 * * *", None, ("prod/genre_overview",)),
    Cron("sync_genre_overview_staging", "0 0 * * *", None, ("staging/genre_overview",)),
    Cron("sync_hashtags_prod", "0 0 * * *", None, ("prod/social_profile_hashtags",)),
    Cron("sync_group_metrics_prod", "0 0 * * *", None, ("prod/group_metrics",)),
)
