{% macro peer_group_key(prefix, parts) -%}
{#- INSTA_IN_Comedy_10k-50k and the like; a missing part is written MISSING. -#}
concat('{{ prefix }}'
    {%- for part in parts %}, '_', coalesce(nullIf(toString({{ part }}), ''), 'MISSING'){% endfor %})
{%- endmacro %}

{% macro peer_metrics() -%}
{#- The 25 measures that have percentiles and a mean in every peer group. -#}
{{ return([
    'avg_likes', 'avg_comments', 'comments_rate', 'avg_posts_per_week', 'followers', 'engagement_rate', 'video_reach',
    'uploads_30d', 'views_30d', 'reels_reach', 'image_reach', 'story_reach', 'shorts_reach', 'likes_to_comment_ratio',
    'followers_growth7d', 'followers_growth30d', 'followers_growth90d', 'followers_growth1y', 'audience_reachability',
    'audience_authencity', 'audience_quality', 'post_count', 'likes_spread', 'reels_impressions', 'image_impressions',
]) }}
{%- endmacro %}

{% macro instagram_graded_metrics() -%}
{#- The 19 measures of an Instagram profile that get a grade in its peer group. -#}
{{ return([
    'avg_likes', 'avg_comments', 'comments_rate', 'followers', 'engagement_rate', 'reels_reach', 'image_reach',
    'story_reach', 'reels_impressions', 'image_impressions', 'likes_to_comment_ratio', 'followers_growth7d',
    'followers_growth30d', 'followers_growth90d', 'audience_reachability', 'audience_authencity', 'post_count',
    'likes_spread', 'avg_posts_per_week',
]) }}
{%- endmacro %}

{% macro youtube_graded_metrics() -%}
{#- The 20 measures of a YouTube channel that get a grade in its peer group. -#}
{{ return([
    'avg_likes', 'avg_comments', 'comments_rate', 'followers', 'engagement_rate', 'likes_to_comment_ratio',
    'followers_growth7d', 'followers_growth30d', 'uploads_30d', 'views_30d', 'followers_growth90d',
    'followers_growth1y', 'audience_reachability', 'audience_authencity', 'audience_quality', 'post_count',
    'likes_spread', 'avg_posts_per_week', 'shorts_reach', 'video_reach',
]) }}
{%- endmacro %}

{% macro peer_percentiles(metric, over='') -%}
{#-
    p40, p60, p75 and p90 of the positive, finite values of a measure, as an array of four; four NaN when there are
    none. Exact and interpolated, so that a grade does not move between two runs over the same rows.
    over: an over (...) clause makes it a window aggregate.
-#}
quantilesExactInclusiveIf(0.4, 0.6, 0.75, 0.9)(
    toFloat64(assumeNotNull({{ metric }})), ifNull({{ metric }} > 0 and isFinite({{ metric }}), false)
){% if over %} over {{ over }}{% endif %}
{%- endmacro %}
