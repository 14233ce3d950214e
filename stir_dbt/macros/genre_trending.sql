{% macro trending_columns() -%}
{#- The columns of the enriched trending models, in order: their union relies on it. -#}
platform,
    month,
    profile_id,
    short_code,
    title,
    description,
    views,
    likes,
    comments,
    engagement,
    engagement_rate,
    plays,
    views_rank,
    plays_rank,
    post_type,
    profile_type,
    post_url,
    thumbnail_url,
    language,
    category,
    publish_time
{%- endmacro %}
