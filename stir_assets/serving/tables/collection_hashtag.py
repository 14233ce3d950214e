"""The hashtags of a campaign report."""

from __future__ import annotations

from stir_assets.core.freshness import within
from stir_assets.serving.declaration import Index, ServingTable, bigint, enriched, stable_id, text
from stir_assets.serving.product import WITHOUT_PUBLIC_ID, share_ids


def most_frequent(array: str, name: str, condition: str = "1") -> str:
    """SELECT of the 100 most frequent entries of an array column in each collection, ties by name.

    Entries are counted in lower case and once a post, so that #Food and #food are one tag.
    """
    return f"""
        select collection_type, collection_id, {name}, toInt64(uniqExact(platform, post_short_code)) as tagged_count
        from (
            select collection_type, collection_id, platform, post_short_code,
                arrayJoin(arrayMap(entry -> lowerUTF8(entry), {array})) as {name}
            from {{mart}}
        )
        where {name} != '' and {condition}
        group by collection_type, collection_id, {name}
        order by collection_type, collection_id, tagged_count desc, {name}
        limit 100 by collection_type, collection_id
    """  # noqa: S608 - names from the declarations below


table = ServingTable(
    name="collection_hashtag",
    description="The 100 most used hashtags of a campaign report. One row per collection and hashtag.",
    marts={"prod": "mart_collection_post"},
    natural_key=("collection_type", "collection_id", "hashtag_name"),
    freshness=within(warn="1h", fail="2h"),
    why="part of the campaign report, read less than its numbers",
    select=most_frequent("hashtags", "hashtag_name"),
    columns=(
        stable_id("collection_type", "collection_id", "hashtag_name"),
        text("collection_id", "Collection.", null_as=""),
        text("hashtag_name", "Hashtag in lower case.", null_as=""),
        bigint("tagged_count", "Posts that carry it."),
        bigint(
            "ugc_tagged_count",
            "Posts that carry it; kept equal to tagged_count for the application.",
            "tagged_count",
        ),
        text("collection_type", "POST or PROFILE.", null_as=""),
        enriched("collection_share_id", "text", "Public id of the report."),
    ),
    indexes=(Index(("collection_share_id", "tagged_count")),),
    enrichments=(*share_ids(), WITHOUT_PUBLIC_ID),
)
