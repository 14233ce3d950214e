"""A campaign report's posts with their latest counters."""

from __future__ import annotations

from stir_assets.core.freshness import within
from stir_assets.serving.declaration import (
    Column,
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
from stir_assets.serving.product import POST_COLLECTION_ITEM, WITHOUT_PUBLIC_ID, from_accounts, share_ids

# What RFC 3986 allows in an address; anything else would break the link.
NOT_IN_AN_ADDRESS = "[^A-Za-z0-9._~:/?#@!$&()*+,;=%\\\\[\\\\]-]"


def address(name: str, description: str) -> Column:
    """A link without characters that no address has; its query string stays."""
    return text(
        name,
        description,
        source=f"replaceRegexpAll(ifNull({name}, ''), '{NOT_IN_AN_ADDRESS}', '')",
        null_as="",
    )


table = ServingTable(
    name="collection_post_metrics_summary",
    description="Posts of a campaign report with their latest counters. One row per platform, collection and post.",
    marts={"prod": "mart_collection_post", "staging": "mart_staging_collection_post"},
    # Post and profile collections are numbered apart: only with its type is an id one collection.
    natural_key=("platform", "collection_type", "collection_id", "post_short_code"),
    freshness=within(warn="30m", fail="60m"),
    why="campaign managers watch a report while the campaign runs",
    # Published every half hour under readers who stay: exports of long reports, replicas. Most rows change each time.
    mode="pointer",
    columns=(
        stable_id("platform", "collection_type", "collection_id", "post_short_code"),
        text("platform", "INSTAGRAM or YOUTUBE.", null_as=""),
        text("post_short_code", "Short code or video id.", null_as=""),
        text("post_type", "reels, image, carousel, story, video or short.", null_as=""),
        text("post_title", "Title or caption.", null_as=""),
        address("post_link", "Address of the post."),
        address("post_thumbnail", "Address of its picture."),
        timestamp("published_at", "When it was posted.", null_as="1970-01-01"),
        text("profile_social_id", "Author's id on the platform."),
        text("profile_handle", "Author's user name.", null_as=""),
        text("profile_name", "Author's name.", null_as=""),
        bigint("followers", "Author's followers.", null_as=0),
        text("collection_id", "Collection the post belongs to.", null_as=""),
        bigint("post_collection_item_id", "Item of the post collection."),
        text("collection_type", "POST or PROFILE.", null_as=""),
        bigint("views", "Views.", null_as=0),
        bigint("likes", "Likes.", null_as=0),
        bigint("comments", "Comments.", null_as=0),
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
        bigint("link_clicks", "Clicks on the campaign's links.", null_as=0),
        bigint("orders", "Orders through them.", null_as=0),
        double("er", "Engagement rate, percent.", source="engagement_rate", null_as=0.0),
        Column(
            "hashtags",
            "jsonb",
            source="arrayDistinct(arrayMap(tag -> lowerUTF8(tag), hashtags))",
            convert="scrub",
            description="Hashtags in lower case.",
        ),
        bigint("delivered_orders", "Orders delivered.", null_as=0),
        bigint("completed_orders", "Orders completed.", null_as=0),
        bigint("leaderboard_overall_orders", "Orders counted for the leaderboard.", null_as=0),
        bigint("leaderboard_delivered_orders", "Of these, delivered.", null_as=0),
        bigint("leaderboard_completed_orders", "Of these, completed.", null_as=0),
        enriched("profile_pic", "text", "Author's picture."),
        enriched("collection_share_id", "text", "Public id of the report."),
        enriched("cost", "numeric", "Agreed cost of the item."),
    ),
    indexes=(Index(("collection_share_id", "platform")), Index(("collection_id",))),
    enrichments=(
        EnrichmentStep(
            "posts that are not shown in the report",
            "delete from {table} t where t.collection_type = 'POST' and not exists ("
            "select from {product}.post_collection_item i where i.post_collection_id = t.collection_id "
            "and i.short_code = t.post_short_code and i.show_in_report)",
            (POST_COLLECTION_ITEM,),
            drops_rows=True,
        ),
        *from_accounts(
            "profile_social_id",
            "profile_pic = a.thumbnail, followers = coalesce(a.followers, 0), "
            "profile_name = coalesce(nullif(a.name, ''), a.handle, '')",
            "profile_pic = a.thumbnail, followers = coalesce(a.followers, 0), "
            "profile_name = coalesce(nullif(a.username, ''), a.title, '')",
        ),
        *share_ids(),
        EnrichmentStep(
            "agreed cost",
            "update {table} t set cost = i.cost from {product}.post_collection_item i "
            "where t.post_collection_item_id = i.id and t.post_collection_item_id > 0",
            (POST_COLLECTION_ITEM,),
        ),
        WITHOUT_PUBLIC_ID,
    ),
)
