{% macro engagement_rate(engagement, base, ceiling=none) -%}
{#-
    engagement / base as a fraction, never NaN or infinite: 0 where the base is 0 or unknown.

    engagement: interactions (likes + comments).   base: reach, views or followers.
    ceiling:    a rate at or above it is a broken observation and becomes 0 (none: no ceiling).
-#}
coalesce(if(({{ base }}) > 0
    {%- if ceiling is not none %} and ({{ engagement }}) / ({{ base }}) < {{ ceiling }}{% endif -%}
    , ({{ engagement }}) / ({{ base }}), 0.), 0.)
{%- endmacro %}

{% macro mean_or_null(total, row_count) -%}
{#- total / row_count, NULL (never NaN) where nothing was counted, so that coalesce() of a reader works. -#}
if(({{ row_count }}) > 0, ({{ total }}) / ({{ row_count }}), null)
{%- endmacro %}

{% macro mean_rate_or_null(total, followers, row_count) -%}
{#- Mean rate per follower over row_count posts; NULL where followers or posts are missing. -#}
if(({{ followers }}) > 0 and ({{ row_count }}) > 0, ({{ total }}) / ({{ followers }}) / ({{ row_count }}), null)
{%- endmacro %}

{% macro post_class(post_type) -%}
{#- reels, or static for everything that is not a reel: the two classes whose newest posts are compared. -#}
if(lower(coalesce({{ post_type }}, '')) = 'reels', 'reels', 'static')
{%- endmacro %}

{% macro is_recent_post(rank) -%}
{#- The 12-latest-posts rule: averages of a profile look at its newest posts only (var recent_posts_limit). -#}
({{ rank }} between 1 and {{ var('recent_posts_limit') }})
{%- endmacro %}

{% macro is_within_outlier_bounds(rank, post_count) -%}
{#- Cuts the best and the worst posts (var outlier_posts_cut at each end); fewer than five posts leave none. -#}
({{ rank }} > {{ var('outlier_posts_cut') }} and {{ rank }} + {{ var('outlier_posts_cut') }} <= {{ post_count }})
{%- endmacro %}
