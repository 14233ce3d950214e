"""The scraper's 28 flows: platform, what a request is about, how many requests a day at scale 1.

`entity` says which parameters a request carries; the SQL in `sql/stream/040_request.sql` fills them in.
The four flows whose success must be visible as newer scrapes (`scrape_*`) are made from those scrapes,
and here only get the requests that fail.
"""

from __future__ import annotations

FLOWS: tuple[tuple[str, str, str, float], ...] = (
    ("refresh_profile_by_handle", "INSTAGRAM", "scrape_profile", 20),
    ("refresh_post_by_shortcode", "INSTAGRAM", "scrape_post", 30),
    ("refresh_story_posts_by_profile_id", "INSTAGRAM", "story_posts", 40),
    ("refresh_stories_posts", "INSTAGRAM", "handle", 60),
    ("refresh_story_insights", "INSTAGRAM", "story", 60),
    ("refresh_post_insights", "INSTAGRAM", "post", 120),
    ("refresh_profile_insights", "INSTAGRAM", "handle", 60),
    ("fetch_post_comments", "INSTAGRAM", "comments", 80),
    ("fetch_profile_followers", "INSTAGRAM", "profile_id", 60),
    ("fetch_profile_following", "INSTAGRAM", "profile_id", 60),
    ("refresh_instagram_gpt_data_audience_age_gender", "INSTAGRAM", "gpt", 40),
    ("refresh_instagram_gpt_data_audience_cities", "INSTAGRAM", "gpt", 40),
    ("refresh_instagram_gpt_data_base_categ_lang_topics", "INSTAGRAM", "gpt", 20),
    ("refresh_instagram_gpt_data_base_gender", "INSTAGRAM", "gpt", 20),
    ("refresh_instagram_gpt_data_base_location", "INSTAGRAM", "gpt", 20),
    ("refresh_instagram_gpt_data_gender_location_lang", "INSTAGRAM", "gpt", 60),
    ("fetch_hashtag_posts", "INSTAGRAM", "hashtag", 28),
    ("refresh_yt_profiles", "YOUTUBE", "scrape_channel", 10),
    ("refresh_yt_posts", "YOUTUBE", "scrape_video", 15),
    ("refresh_yt_posts_by_playlist_id", "YOUTUBE", "playlist", 80),
    ("refresh_yt_posts_by_search", "YOUTUBE", "search", 20),
    ("fetch_yt_post_comments", "YOUTUBE", "video_comments", 60),
    ("refresh_yt_post_type", "YOUTUBE", "video", 60),
    ("refresh_yt_profile_insights", "YOUTUBE", "channel", 30),
    ("refresh_yt_profile_relationship", "YOUTUBE", "channel", 60),
    ("refresh_orders_by_store", "SHOPIFY", "store", 18),
    ("asset_upload_flow", "INSTAGRAM", "asset", 150),
    ("asset_upload_flow_stories", "INSTAGRAM", "asset", 60),
    # The predecessor of refresh_yt_posts_by_playlist_id: no longer requested, still read.
    ("refresh_yt_posts_by_channel_id", "YOUTUBE", "channel", 20),
)
REQUESTED_FLOWS = tuple(flow for flow, *_ in FLOWS if flow != "refresh_yt_posts_by_channel_id")


def flow_columns() -> dict[str, list]:
    """The columns of `stir_world.flow`; `lower` and `upper` split [0, 1) by the flows' shares."""
    total = sum(per_day for *_, per_day in FLOWS)
    shares = [per_day / total for *_, per_day in FLOWS]
    uppers = [sum(shares[: i + 1]) for i in range(len(shares))]
    return {
        "flow": [flow for flow, *_ in FLOWS],
        "platform": [platform for _, platform, _, _ in FLOWS],
        "entity": [entity for _, _, entity, _ in FLOWS],
        "share": shares,
        "lower": [upper - share for upper, share in zip(uppers, shares, strict=True)],
        "upper": [*uppers[:-1], 1.0],
    }


def requests_per_day() -> float:
    """All requests a day at scale 1."""
    return float(sum(per_day for *_, per_day in FLOWS))
