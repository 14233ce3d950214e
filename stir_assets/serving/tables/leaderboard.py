"""Monthly creator ranking across platforms."""

from __future__ import annotations

from stir_assets.core.freshness import daily_by
from stir_assets.serving.declaration import (
    Column,
    Guards,
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

_ACCOUNT = (
    "platform_profile_id = a.id, audience_gender = a.audience_gender, audience_age = a.audience_age, "
    "search_phrase = a.search_phrase"
)

table = ServingTable(
    name="leaderboard",
    description="Monthly creator ranking. One row per month, platform and profile.",
    marts={"prod": "mart_leaderboard", "staging": "mart_leaderboard"},
    natural_key=("month", "platform", "platform_id"),
    freshness=daily_by("20:15 UTC", lookback="26h", every="3h"),
    why="the leaderboard page says 'updated today' and is read most in the evening",
    columns=(
        stable_id("month", "platform", "platform_id"),
        timestamp("month", "First day of the month.", null_as="1970-01-01"),
        text("language", "Language code of the profile."),
        text("category", "Content category."),
        text("platform", "INSTAGRAM, YOUTUBE or ALL (cross-platform)."),
        text("profile_type", "Kind of account."),
        text("handle", "User name: the application's, else the mart's."),
        bigint("followers", "Followers or subscribers at the end of the month."),
        double("engagement_rate", "Engagement over followers, as a share."),
        double("avg_likes", "Likes a post."),
        double("avg_comments", "Comments a post."),
        double("avg_views", "Views a post."),
        double("avg_plays", "Plays a reel."),
        bigint("followers_rank", "Rank by followers in the month and platform."),
        bigint("followers_change_rank", "Rank by followers gained."),
        bigint("views_rank", "Rank by views."),
        text("platform_id", "Profile id on its platform."),
        text("country", "ISO country code."),
        bigint("views", "Views in the month."),
        bigint("yt_views", "Of these, on YouTube."),
        bigint("ia_views", "Of these, on Instagram."),
        bigint("uploads", "Posts published in the month."),
        bigint("prev_followers", "Followers at the end of the month before."),
        bigint("prev_views", "Views in the month before."),
        bigint("prev_plays", "Plays in the month before."),
        bigint("followers_change", "Followers gained in the month."),
        bigint("likes", "Likes in the month."),
        bigint("comments", "Comments in the month."),
        bigint("plays", "Plays of reels in the month."),
        bigint("engagement", "Likes and comments in the month."),
        bigint("plays_rank", "Rank by plays."),
        text("profile_platform", "IA for Instagram, YA for YouTube; cross-platform rows bring their own."),
        Column("enabled", "boolean", source="true", nullable=False, description="Shown in the application."),
        Column("last_month_ranks", "jsonb", description="32 rank names to last month's rank, 0 when none."),
        Column(
            "current_month_ranks", "jsonb", description="32 rank names to this month's rank, 0 when none."
        ),
        enriched("platform_profile_id", "bigint", "The account's id in the application."),
        enriched("audience_gender", "jsonb", "Audience by gender, from the account."),
        enriched("audience_age", "jsonb", "Audience by age, from the account."),
        enriched("search_phrase", "text", "Text the application searches in."),
    ),
    guards=Guards(checksum=True),
    indexes=(
        Index(("month", "platform", "platform_profile_id")),
        Index(("month", "platform", "followers_change_rank", "id")),
        Index(("month", "platform", "plays_rank", "id")),
        Index(("month", "platform", "views_rank", "id")),
    ),
    enrichments=from_accounts(
        "platform_id",
        f"handle = coalesce(nullif(a.handle, ''), t.handle), {_ACCOUNT}",
        f"handle = coalesce(nullif(a.username, ''), nullif(a.title, ''), t.handle), {_ACCOUNT}",
        # A cross-platform row carries the id of one of its two accounts, and this says of which.
        instagram_when="t.profile_platform = 'IA'",
        youtube_when="t.profile_platform = 'YA'",
    ),
)
