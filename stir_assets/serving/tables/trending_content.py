"""The most watched posts of a month by genre."""

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

_ACCOUNT = "platform_account_id = a.id, audience_gender = a.audience_gender, audience_age = a.audience_age"

table = ServingTable(
    name="trending_content",
    description="Most watched posts of a month by genre. One row per month, platform, post, category and language.",
    marts={"prod": "mart_genre_trending_content", "staging": "mart_genre_trending_content"},
    natural_key=("month", "platform", "post_id", "category", "language"),
    freshness=daily_by("20:15 UTC", lookback="26h", every="3h"),
    why="genre pages show what trends today",
    where="short_code != 'MISSING' and profile_id != 'MISSING'",
    columns=(
        stable_id("month", "platform", "short_code", "category", "language"),
        text("month", "First day of the month, as text.", null_as=""),
        text("category", "Content category.", null_as=""),
        text("platform", "INSTAGRAM or YOUTUBE.", null_as=""),
        text("language", "Language code.", null_as=""),
        text("profile_type", "Kind of account."),
        text("title", "Title, or the start of the caption."),
        text("description", "Description or caption."),
        bigint("engagement", "Likes and comments."),
        double("engagement_rate", "Engagement over followers, as a share."),
        bigint("views", "Views."),
        bigint("plays", "Plays of a reel."),
        bigint("likes", "Likes."),
        bigint("comments", "Comments."),
        timestamp("published_at", "When it was posted.", source="publish_time"),
        text("post_id", "Short code or video id.", source="short_code", null_as=""),
        text("post_type", "reels, image, carousel, video or short."),
        text("post_link", "Address of the post.", source="post_url"),
        text("thumbnail", "Address of its picture.", source="thumbnail_url"),
        text("profile_social_id", "Author's id on the platform.", source="profile_id"),
        bigint("plays_rank", "Rank by plays in month, platform, category and language."),
        bigint("views_rank", "Rank by views in the same scope."),
        Column("enabled", "boolean", source="true", nullable=False, description="Shown in the application."),
        enriched("platform_account_id", "bigint", "The account's id in the application."),
        enriched("audience_gender", "jsonb", "Audience by gender, from the account."),
        enriched("audience_age", "jsonb", "Audience by age, from the account."),
    ),
    indexes=(Index(("month", "platform", "category", "language", "views_rank")),),
    enrichments=from_accounts("profile_social_id", _ACCOUNT, _ACCOUNT),
)
