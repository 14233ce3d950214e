"""A campaign report's posts day by day."""

from __future__ import annotations

from stir_assets.core.freshness import within
from stir_assets.serving.declaration import (
    EnrichmentStep,
    Index,
    ServingTable,
    bigint,
    double,
    enriched,
    stable_id,
    text,
    timestamp,
)
from stir_assets.serving.product import WITHOUT_PUBLIC_ID, from_accounts, share_ids
from stir_assets.serving.tables.collection_post_metrics_summary import address

_ACCOUNT = "platform_account_code = a.id, profile_pic = a.thumbnail, followers = coalesce(a.followers, 0)"

table = ServingTable(
    name="collection_post_metrics_ts",
    description="Posts of a campaign report day by day. One row per platform, collection, post and day.",
    marts={"prod": "mart_collection_post_ts", "staging": "mart_staging_collection_post_ts"},
    natural_key=("platform", "collection_type", "collection_id", "post_short_code", "stats_date"),
    freshness=within(warn="2h", fail="4h"),
    why="a report's chart has one point a day, and this is the dearest publication: hours are enough",
    where="profile_social_id != ''",
    # Days that are over do not change, so nearly all of the largest collection table stays as it is.
    mode="diff",
    columns=(
        stable_id("platform", "collection_type", "collection_id", "post_short_code", "stats_date"),
        text("platform", "INSTAGRAM or YOUTUBE.", null_as=""),
        text("post_short_code", "Short code or video id.", null_as=""),
        text("post_type", "reels, image, carousel, story, video or short."),
        text("post_title", "Always blank: the title is in the summary.", source="''", null_as=""),
        address("post_link", "Address of the post."),
        address("post_thumbnail", "Address of its picture."),
        timestamp("published_at", "When it was posted.", null_as="1970-01-01"),
        text("profile_social_id", "Author's id on the platform."),
        text("profile_handle", "Author's user name."),
        text("profile_name", "Author's name."),
        text("collection_type", "POST or PROFILE.", null_as=""),
        text("collection_id", "Collection the post belongs to.", null_as=""),
        bigint("post_collection_item_id", "Item of the post collection."),
        bigint("link_clicks", "Clicks on the campaign's links up to the day.", null_as=0),
        bigint("orders", "Orders through them up to the day.", null_as=0),
        timestamp("stats_date", "The day.", source="toDateTime(stats_date, 'UTC')", null_as="1970-01-01"),
        bigint("views", "Views up to the day.", null_as=0),
        bigint("likes", "Likes up to the day.", null_as=0),
        bigint("comments", "Comments up to the day.", null_as=0),
        bigint("impressions", "Impressions, real or estimated.", null_as=0),
        bigint("saves", "Saves.", null_as=0),
        bigint("plays", "Plays of a reel.", null_as=0),
        bigint("reach", "Reach, real or estimated.", null_as=0),
        bigint("swipe_ups", "Swipe-ups of a story.", null_as=0),
        bigint("mentions", "Taps on mentions.", null_as=0),
        bigint("sticker_taps", "Taps on stickers.", null_as=0),
        bigint("shares", "Shares.", null_as=0),
        bigint("story_exits", "Exits from a story.", null_as=0),
        bigint("story_back_taps", "Taps back.", null_as=0),
        bigint("story_forward_taps", "Taps forward.", null_as=0),
        double("er", "Engagement rate, percent.", source="engagement_rate", null_as=0.0),
        enriched("platform_account_code", "bigint", "The account's id in the application."),
        enriched("profile_pic", "text", "Author's picture."),
        enriched("followers", "bigint", "Author's followers.", default="0"),
        enriched("collection_share_id", "text", "Public id of the report."),
    ),
    indexes=(Index(("collection_share_id", "stats_date")), Index(("collection_id", "stats_date"))),
    enrichments=(
        *from_accounts("profile_social_id", _ACCOUNT, _ACCOUNT),
        *share_ids(),
        EnrichmentStep(
            "rows of authors whom the application does not know",
            "delete from {table} where platform_account_code is null",
            (),
            drops_rows=True,
        ),
        WITHOUT_PUBLIC_ID,
    ),
)
