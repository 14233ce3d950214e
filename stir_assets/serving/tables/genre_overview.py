"""A genre's totals by month."""

from __future__ import annotations

from stir_assets.core.freshness import daily_by
from stir_assets.serving.declaration import Column, Index, ServingTable, bigint, double, stable_id, text

table = ServingTable(
    name="genre_overview",
    description="Totals of a genre. One row per category, month, platform, language and profile type.",
    marts={"prod": "mart_genre_overview", "staging": "mart_genre_overview"},
    natural_key=("category", "month", "platform", "language", "profile_type"),
    freshness=daily_by("20:15 UTC", lookback="26h", every="3h"),
    why="genre pages compare this month with the last, up to today",
    where="language != 'MISSING' and category != 'MISSING'",
    columns=(
        stable_id("category", "month", "platform", "language", "profile_type"),
        text("category", "Content category, or ALL.", null_as=""),
        text("month", "First day of the month as text, or ALL.", null_as=""),
        text("platform", "INSTAGRAM, YOUTUBE or ALL.", null_as=""),
        text("language", "Language code, or ALL.", null_as=""),
        text("profile_type", "Kind of account, or ALL.", null_as=""),
        bigint("creators", "Profiles."),
        bigint("uploads", "Posts published."),
        bigint("views", "Views."),
        bigint("engagement", "Likes and comments."),
        double("engagement_rate", "Engagement over followers, as a share."),
        bigint("followers", "Followers."),
        bigint("likes", "Likes."),
        bigint("comments", "Comments."),
        Column("audience_age_gender", "jsonb", description="Share of the audience by gender and age."),
        Column("audience_age", "jsonb", description="Share of the audience by age."),
        Column("audience_gender", "jsonb", description="Share of the audience by gender."),
        Column("enabled", "boolean", source="true", nullable=False, description="Shown in the application."),
    ),
    indexes=(Index(("month", "platform", "category", "language")),),
)
