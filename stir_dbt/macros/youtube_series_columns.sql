{% macro youtube_series_columns(monthly) %}
{#- Columns every YouTube series shares: the platform gives no figures per post for a period, so they are 0. -#}
    toUInt8(0) as engagement_rate,
    toUInt8(0) as likes,
    toUInt8(0) as plays,
    toUInt8(0) as comments,
    toUInt8(0) as engagement,
    toUInt8(0) as following,
    toUInt8(0) as avg_views,
    toUInt8(0) as avg_likes,
    toUInt8(0) as avg_comments,
    toUInt8(0) as avg_plays,
    {{ 'true' if monthly else 'false' }} as monthly_stats
{%- endmacro %}
