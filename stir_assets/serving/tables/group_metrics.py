"""Averages of a group of comparable profiles."""

from __future__ import annotations

from stir_assets.core.freshness import within
from stir_assets.serving.declaration import Column, Guards, ServingTable, double, stable_id, text

_AVERAGES = {
    "group_avg_likes": "Likes a post.",
    "group_avg_comments": "Comments a post.",
    "group_avg_comments_rate": "Comments over followers.",
    "group_avg_followers": "Followers.",
    "group_avg_engagement_rate": "Engagement rate.",
    "group_avg_reels_reach": "Reach of a reel.",
    "group_avg_image_reach": "Reach of an image.",
    "group_avg_story_reach": "Reach of a story.",
    "group_avg_shorts_reach": "Reach of a short.",
    "group_avg_video_reach": "Reach of a video.",
    "group_avg_likes_to_comment_ratio": "Likes over comments.",
    "group_avg_followers_growth7d": "Growth of followers in 7 days.",
    "group_avg_followers_growth30d": "Growth of followers in 30 days.",
    "group_avg_followers_growth90d": "Growth of followers in 90 days.",
    "group_avg_audience_reachability": "Share of the audience that can be reached.",
    "group_avg_audience_authencity": "Share of the audience that is authentic (the application's spelling).",
    "group_avg_audience_quality": "Quality score of the audience.",
    "group_avg_post_count": "Posts.",
    "group_avg_reaction_rate": "Reactions over followers.",
    "group_avg_likes_spread": "Spread of likes.",
    "group_avg_followers_growth1y": "Growth of followers in a year.",
    "group_avg_posts_per_week": "Posts a week.",
}
# The mart's names double the prefix.
_MART_NAMES = {
    "group_avg_likes": "group_avg_avg_likes",
    "group_avg_comments": "group_avg_avg_comments",
    "group_avg_posts_per_week": "group_avg_avg_posts_per_week",
}


def _numbers(name: str, description: str) -> Column:
    return Column(
        name,
        "double precision[]",
        source=f"arrayMap(number -> toFloat64(number), {name})",
        description=description,
    )


table = ServingTable(
    name="group_metrics",
    description="Averages of a group of comparable profiles. One row per group.",
    marts={"prod": "mart_primary_group_metrics"},
    natural_key=("group_key",),
    freshness=within(warn="2h", fail="4h"),
    why="account pages compare a profile, refreshed every two hours, with its group",
    guards=Guards(checksum=True),
    columns=(
        stable_id("group_key"),
        text("group_key", "Platform, category, language and follower group.", null_as=""),
        *(double(name, f"Average: {meaning}", _MART_NAMES.get(name)) for name, meaning in _AVERAGES.items()),
        Column("profiles", "integer", source="toInt32(profiles)", description="Profiles in the group."),
        _numbers("bin_start", "Lower bounds of the engagement rate's histogram."),
        _numbers("bin_end", "Upper bounds."),
        _numbers("bin_height", "Profiles in each bin."),
    ),
)
