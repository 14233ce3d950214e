-- A rolled-up key shows the sum of its values: checked on the category of every other group of keys. Creators too,
-- because an account has one category.
{% set measures = ['creators', 'views', 'likes', 'comments', 'followers', 'uploads'] %}
select
    month,
    language,
    profile_type,
    platform
from {{ ref('mart_genre_overview') }}
group by month, language, profile_type, platform
having
    {%- for measure in measures %}
    sumIf({{ measure }}, category = 'ALL') != sumIf({{ measure }}, category != 'ALL')
    {%- if not loop.last %} or{% endif %}
    {%- endfor %}
