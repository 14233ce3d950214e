"""The keywords of a campaign report."""

from __future__ import annotations

from stir_assets.core.freshness import within
from stir_assets.serving.declaration import Index, ServingTable, bigint, enriched, stable_id, text
from stir_assets.serving.product import WITHOUT_PUBLIC_ID, share_ids
from stir_assets.serving.tables.collection_hashtag import most_frequent

# Words that say nothing about a post. The list of the application's first version had 22 as well.
STOP_WORDS = (
    "a", "an", "and", "are", "at", "be", "for", "from", "in", "is", "it",
    "my", "of", "on", "or", "our", "the", "this", "to", "we", "with", "you",
)  # fmt: skip

table = ServingTable(
    name="collection_keyword",
    description="The 100 most used keywords of a campaign report. One row per collection and keyword.",
    marts={"prod": "mart_collection_post"},
    natural_key=("collection_type", "collection_id", "keyword_name"),
    freshness=within(warn="1h", fail="2h"),
    why="part of the campaign report, read less than its numbers",
    select=most_frequent(
        "keywords", "keyword_name", f"keyword_name not in ({', '.join(repr(word) for word in STOP_WORDS)})"
    ),
    columns=(
        stable_id("collection_type", "collection_id", "keyword_name"),
        text("collection_id", "Collection.", null_as=""),
        text("keyword_name", "Keyword in lower case.", null_as=""),
        bigint("tagged_count", "Posts that carry it."),
        text("collection_type", "POST or PROFILE.", null_as=""),
        enriched("collection_share_id", "text", "Public id of the report."),
    ),
    indexes=(Index(("collection_share_id", "tagged_count")),),
    enrichments=(*share_ids(), WITHOUT_PUBLIC_ID),
)
