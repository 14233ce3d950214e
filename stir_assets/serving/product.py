"""The product-owned tables that enrichments read, and the steps that several serving tables share."""

from __future__ import annotations

from stir_assets.serving.declaration import EnrichmentStep, ProductTable

INSTAGRAM_ACCOUNT = ProductTable(
    "instagram_account",
    {
        "id": "bigint", "ig_id": "text", "handle": "text", "name": "text", "thumbnail": "text", "followers": "bigint",
        "audience_gender": "jsonb", "audience_age": "jsonb", "search_phrase": "text",
    },
)  # fmt: skip
YOUTUBE_ACCOUNT = ProductTable(
    "youtube_account",
    {
        "id": "bigint", "channel_id": "text", "username": "text", "title": "text", "thumbnail": "text",
        "followers": "bigint", "audience_gender": "jsonb", "audience_age": "jsonb", "search_phrase": "text",
    },
)  # fmt: skip
PROFILE_COLLECTION = ProductTable("profile_collection", {"id": "bigint", "share_id": "text"})
POST_COLLECTION = ProductTable("post_collection", {"id": "text", "share_id": "text"})
POST_COLLECTION_ITEM = ProductTable(
    "post_collection_item",
    {
        "id": "bigint", "post_collection_id": "text", "short_code": "text", "show_in_report": "boolean",
        "cost": "numeric",
    },
)  # fmt: skip


def from_accounts(
    key: str,
    instagram: str,
    youtube: str,
    *,
    instagram_when: str = "t.platform = 'INSTAGRAM'",
    youtube_when: str = "t.platform = 'YOUTUBE'",
) -> tuple[EnrichmentStep, EnrichmentStep]:
    """Columns from the two account tables, matched by the platform's id in column `key`.

    `instagram` and `youtube` are SET lists in which `a` is the account. The row itself says which platform its
    id is of (`..._when`), so that the order of the two steps does not matter and no id matches by accident.
    """
    return (
        EnrichmentStep(
            "instagram accounts",
            f"update {{table}} as t set {instagram} from {{product}}.instagram_account a "  # noqa: S608
            f"where t.{key} = a.ig_id and {instagram_when} and a.ig_id <> ''",
            (INSTAGRAM_ACCOUNT,),
        ),
        EnrichmentStep(
            "youtube accounts",
            f"update {{table}} as t set {youtube} from {{product}}.youtube_account a "  # noqa: S608
            f"where t.{key} = a.channel_id and {youtube_when} and a.channel_id <> ''",
            (YOUTUBE_ACCOUNT,),
        ),
    )


WITHOUT_PUBLIC_ID = EnrichmentStep(
    "rows of collections without a public id",
    # The application reads reports by their public id: nobody could see them.
    "delete from {table} where collection_share_id is null",
    (),
    drops_rows=True,
)


def share_ids(extra: str = "") -> tuple[EnrichmentStep, EnrichmentStep]:
    """The public share id of each row's collection, by its `collection_id` and `collection_type`."""
    return (
        EnrichmentStep(
            "profile collections",
            f"update {{table}} as t set collection_share_id = c.share_id{extra} "  # noqa: S608
            "from {product}.profile_collection c "
            # As text: a collection id that is no number belongs to no profile collection.
            "where t.collection_type = 'PROFILE' and t.collection_id = c.id::text",
            (PROFILE_COLLECTION,),
        ),
        EnrichmentStep(
            "post collections",
            f"update {{table}} as t set collection_share_id = c.share_id{extra} "  # noqa: S608
            "from {product}.post_collection c where t.collection_type = 'POST' and t.collection_id = c.id",
            (POST_COLLECTION,),
        ),
    )
