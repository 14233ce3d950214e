-- The old overview had its ALL rows twice, one of them doubled: every measure of ALL is INSTAGRAM + YOUTUBE.
{% set measures = ['creators', 'views', 'likes', 'comments', 'followers', 'uploads', 'engagement'] %}
select
    month,
    category,
    language,
    profile_type
from {{ ref('mart_genre_overview') }}
group by month, category, language, profile_type
having
    {%- for measure in measures %}
    sumIf({{ measure }}, platform = 'ALL') != sumIf({{ measure }}, platform != 'ALL')
    {%- if not loop.last %} or{% endif %}
    {%- endfor %}
