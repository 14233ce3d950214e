"""The hashtags a profile uses most."""

from __future__ import annotations

from stir_assets.core.freshness import within
from stir_assets.serving.declaration import Column, Index, ServingTable, enriched, stable_id, text
from stir_assets.serving.product import from_accounts

table = ServingTable(
    name="social_profile_hashtags",
    description="The ten hashtags a profile uses most. One row per platform and profile.",
    marts={"prod": "mart_instagram_hashtags"},
    natural_key=("platform", "platform_id"),
    freshness=within(warn="7d", fail="8d", every="6h"),
    why="a profile's habits change over weeks",
    columns=(
        stable_id("platform", "platform_id"),
        text("platform_id", "Profile id on its platform.", null_as=""),
        text("platform", "INSTAGRAM.", null_as=""),
        Column("hashtags", "text[]", convert="scrub", description="Hashtags, most used first."),
        Column(
            "hashtags_counts",
            "bigint[]",
            source="arrayMap(number -> toInt64(number), hashtags_counts)",
            description="Posts that carry each of them, in the same order.",
        ),
        enriched("platform_profile_id", "bigint", "The account's id in the application."),
    ),
    indexes=(Index(("platform_profile_id",)),),
    enrichments=from_accounts("platform_id", "platform_profile_id = a.id", "platform_profile_id = a.id"),
)
