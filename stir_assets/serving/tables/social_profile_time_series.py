"""A profile's counters over time: weekly points and monthly points."""

from __future__ import annotations

from stir_assets.core.freshness import daily_by
from stir_assets.serving.declaration import (
    Column,
    Index,
    ServingTable,
    bigint,
    double,
    enriched,
    stable_id,
    text,
    timestamp,
)
from stir_assets.serving.product import from_accounts

table = ServingTable(
    name="social_profile_time_series",
    description="Counters of a profile over time. One row per platform, profile, date and granularity.",
    marts={"prod": "mart_time_series", "staging": "mart_time_series"},
    natural_key=("platform", "platform_id", "date", "monthly_stats"),
    freshness=daily_by("20:15 UTC", lookback="26h", every="3h"),
    why="growth charts end with today's point",
    columns=(
        stable_id("platform", "platform_id", "date", "monthly_stats"),
        text("platform_id", "Profile id on its platform.", null_as=""),
        text("platform", "INSTAGRAM or YOUTUBE.", null_as=""),
        bigint("followers", "Followers or subscribers at the date."),
        bigint("following", "Accounts followed."),
        bigint("views", "Views in the period."),
        bigint("views_total", "Views since the beginning."),
        bigint("plays", "Plays of reels in the period."),
        bigint("plays_total", "Plays since the beginning."),
        double("engagement_rate", "Engagement over followers, as a share."),
        bigint("uploads", "Posts published in the period."),
        bigint("followers_change", "Followers gained in the period."),
        timestamp("date", "First day of the period.", null_as="1970-01-01"),
        timestamp("prev_date", "The period before.", source="p_date"),
        Column(
            "monthly_stats",
            "boolean",
            source="monthly_stats != 0",
            nullable=False,
            description="Month, else week.",
        ),
        Column("enabled", "boolean", source="true", nullable=False, description="Shown in the application."),
        enriched("platform_profile_id", "bigint", "The account's id in the application."),
    ),
    indexes=(Index(("platform_profile_id", "platform", "monthly_stats", "date")),),
    enrichments=from_accounts("platform_id", "platform_profile_id = a.id", "platform_profile_id = a.id"),
)
