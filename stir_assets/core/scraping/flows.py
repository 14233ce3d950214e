"""Every flow that Stir asks of the scraper, with its terms.

How often a flow is asked for sets its terms: what is asked every ten minutes is stale after an hour without an
answer, what is asked once a day after half a day. The ages are of unanswered requests, so a flow that nobody
asks for is never stale; `quiet` only says from when on the silence itself is worth a look at the requester.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from stir_assets.core.scraping.model import FlowTerms, flow

_POSTS = "_e/post_log_events"
_PROFILES = "_e/profile_log_events"
_ACTIVITY = "_e/post_activity_log_events"
_RELATIONS = "_e/profile_relationship_log_events"
_IG_POSTS = "beat_replica/instagram_post_simple"
_IG_ACCOUNTS = "beat_replica/instagram_account"
_YT_POSTS = "beat_replica/youtube_post_simple"
_YT_ACCOUNTS = "beat_replica/youtube_account"
_ASSETS = "beat_replica/asset_log"

# Asked every 10 to 30 minutes; a few hours of queue are usual at peak time.
_often = partial(flow, stale="1h", down="4h", backlog="6h", quiet="12h")
# Asked every one to six hours.
_hourly = partial(flow, stale="4h", down="12h", backlog="12h", quiet="24h")
# Asked every eight hours to once a day, up to 25,000 at a time: the queue takes half a day.
_daily = partial(flow, stale="12h", down="36h", backlog="24h", quiet="48h")
# Asked once a week.
_weekly = partial(flow, stale="24h", down="72h", backlog="48h", quiet="10d")

FLOWS: tuple[FlowTerms, ...] = (
    _often("refresh_profile_by_handle", "INSTAGRAM", _PROFILES, _IG_ACCOUNTS),
    _often("refresh_post_by_shortcode", "INSTAGRAM", _POSTS, _IG_POSTS),
    _hourly("refresh_story_posts_by_profile_id", "INSTAGRAM", _POSTS, _IG_POSTS),
    _hourly("refresh_stories_posts", "INSTAGRAM", _POSTS, _IG_POSTS),
    _hourly("refresh_story_insights", "INSTAGRAM", _POSTS, _IG_POSTS),
    _hourly("refresh_post_insights", "INSTAGRAM", _POSTS, _IG_POSTS),
    _hourly("refresh_profile_insights", "INSTAGRAM", "beat_replica/instagram_profile_insights"),
    _hourly("fetch_post_comments", "INSTAGRAM", _ACTIVITY, "beat_replica/post_activity_log"),
    _hourly("fetch_profile_followers", "INSTAGRAM", _RELATIONS, "beat_replica/profile_relationship_log"),
    _often("fetch_profile_following", "INSTAGRAM", _RELATIONS, "beat_replica/profile_relationship_log"),
    _daily("refresh_instagram_gpt_data_audience_age_gender", "INSTAGRAM", _PROFILES),
    _daily("refresh_instagram_gpt_data_audience_cities", "INSTAGRAM", _PROFILES),
    _daily("refresh_instagram_gpt_data_base_categ_lang_topics", "INSTAGRAM", _PROFILES),
    _daily("refresh_instagram_gpt_data_base_gender", "INSTAGRAM", _PROFILES),
    _daily("refresh_instagram_gpt_data_base_location", "INSTAGRAM", _PROFILES),
    _often("refresh_instagram_gpt_data_gender_location_lang", "INSTAGRAM", _PROFILES),
    _hourly("fetch_hashtag_posts", "INSTAGRAM", _POSTS, _IG_POSTS),
    _often("refresh_yt_profiles", "YOUTUBE", _PROFILES, _YT_ACCOUNTS),
    _often("refresh_yt_posts", "YOUTUBE", _POSTS, _YT_POSTS),
    _often("refresh_yt_posts_by_playlist_id", "YOUTUBE", _POSTS, _YT_POSTS),
    _weekly("refresh_yt_posts_by_search", "YOUTUBE", _POSTS, _YT_POSTS),
    _hourly("fetch_yt_post_comments", "YOUTUBE", _ACTIVITY),
    _often("refresh_yt_post_type", "YOUTUBE", _YT_POSTS),
    _hourly("refresh_yt_profile_insights", "YOUTUBE", "beat_replica/youtube_profile_insights"),
    _often("refresh_yt_profile_relationship", "YOUTUBE", "_e/yt_profile_relationship_log_events"),
    _hourly("refresh_orders_by_store", "SHOPIFY", "beat_replica/order"),
    _often("asset_upload_flow", "INSTAGRAM", _ASSETS),
    _often("asset_upload_flow_stories", "INSTAGRAM", _ASSETS),
)


def feeding(flows: Iterable[FlowTerms] = FLOWS) -> dict[str, tuple[str, ...]]:
    """By source table (`schema/table`): the assets of the flows whose successes appear in it."""
    found: dict[str, list[str]] = {}
    for terms in flows:
        for table in terms.feeds:
            found.setdefault(table, []).append(terms.key)
    return {table: tuple(keys) for table, keys in found.items()}
