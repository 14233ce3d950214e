{% macro parsed_counters(metrics, keys) -%}
{#-
    The counters of an event as one named tuple of texts. One parse of the document for all keys; a number and a
    number sent as text read alike, a missing key is ''. Take a value out with counter().
-#}
JSONExtract({{ metrics }}, 'Tuple({% for key in keys %}{{ key }} String{{ ', ' if not loop.last }}{% endfor %})')
{%- endmacro %}

{% macro counter(parsed, key) -%}
{#- One counter of parsed_counters() as an integer; 0 when it is missing or no whole number. -#}
toInt64OrZero(trim(tupleElement({{ parsed }}, '{{ key }}')))
{%- endmacro %}

{% macro instagram_counters() -%}
{#- Counters of an Instagram post event: our name -> key in the metrics document. -#}
{{ return({
    'likes': 'likes',
    'comments': 'comments',
    'plays': 'play_count',
    'saves': 'saves',
    'mentions': 'mentions',
    'shares': 'shares',
    'story_back_taps': 'taps_back',
    'story_forward_taps': 'taps_forward',
    'story_exits': 'exits',
    'sticker_taps': 'sticker_taps',
    'swipe_ups': 'swipe_ups',
    'real_reach': 'reach',
    'real_impressions': 'impressions',
}) }}
{%- endmacro %}

{% macro youtube_views(parsed) -%}
{#- Views of a video event: view_count, else play_count, which older scrapes sent instead. -#}
if(
    {{ counter(parsed, 'view_count') }} != 0,
    {{ counter(parsed, 'view_count') }},
    {{ counter(parsed, 'play_count') }}
)
{%- endmacro %}
