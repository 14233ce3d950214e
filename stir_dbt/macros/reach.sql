{#-
    Estimates for what Instagram only tells the owner of an account. The constants live in the var reach_model of
    dbt_project.yml, fitted by the platform on accounts whose real insights it could read; see the doc block `reach`.
-#}

{% macro estimated_reach(post_class, likes, plays, followers) -%}
{#- People reached by a reel (from plays) or by any other post (from likes); never negative, NULL or infinite. -#}
{%- set m = var('reach_model') -%}
coalesce(ifNotFinite(greatest(0., if({{ post_class }} = 'reels',
    {{ plays }} * ({{ m.reels_per_play }} - {{ m.reels_follower_damping }}
        * log2(greatest(coalesce({{ followers }}, 0), 1))),
    if({{ likes }} > 0, {{ m.static_reach_scale }} * {{ likes }} * ({{ m.static_reach_base }}
        - {{ m.static_reach_like_damping }} * log10({{ likes }})), 0.)
)), 0.), 0.)
{%- endmacro %}

{% macro estimated_impressions(post_class, likes, plays) -%}
{#- Times a post was shown: the plays of a reel, else from likes; never negative, NULL or infinite. -#}
{%- set m = var('reach_model') -%}
coalesce(ifNotFinite(greatest(0., if({{ post_class }} = 'reels',
    toFloat64({{ plays }}),
    if({{ likes }} > 0, {{ m.static_impressions_scale }} * {{ likes }} * ({{ m.static_impressions_base }}
        - {{ m.static_impressions_like_damping }} * log10({{ likes }})), 0.)
)), 0.), 0.)
{%- endmacro %}

{% macro story_reach(followers, engagement_rate_percent) -%}
{#-
    Estimated people reached by a story, whole people; NULL inputs and results that are not finite give 0.
    engagement_rate_percent: of the author, in percent. At 1 % the logarithm is 0 and the linear term would make the
    estimate negative: it is clamped at 0.
-#}
{%- set m = var('reach_model') -%}
coalesce(greatest(0., ifNotFinite(round(
    {{ m.story_scale }} * ({{ followers }}) * abs(log2({{ engagement_rate_percent }})) * 2 / 100
    - {{ m.story_follower_damping }} * ({{ followers }})
), 0.)), 0.)
{%- endmacro %}

{% macro story_impressions(reach) -%}
{#- Estimated times a story was shown: 2 % to 11 % above its reach, by the last digit of the reach. -#}
round({{ reach }} * (1.02 + ({{ reach }} % 10) / 100))
{%- endmacro %}
