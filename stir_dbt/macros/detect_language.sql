{% macro caption_words(caption) -%}
{#- A caption without links, mentions and hashtags: those say nothing about the language its author writes. -#}
replaceRegexpAll(coalesce({{ caption }}, ''), '(https?://\\S+)|([#@][\\pL\\pM\\pN_.]+)', ' ')
{%- endmacro %}

{% macro detect_language(text) -%}
{#-
    The language of a text as an ISO 639-1 code, NULL when it holds no letters of a known script.

    Used instead of ClickHouse's detectLanguage on purpose: that one needs an experimental setting and a build with
    the NLP libraries, which the embedded engine is not, and a model must give one answer on both. The languages the
    platform asks about are told apart by their script, except Hindi and Marathi, which share Devanagari: there the
    commonest function words and the letter that only Marathi uses decide. A Latin text counts as English (romanised
    Hindi included: no detector tells it reliably). The script with the most letters wins, English only when no Indian
    script reaches half of its letters, since brand names are Latin everywhere.
-#}
{%- set scripts = [
    ('bn', '0980', '09FF'), ('pa', '0A00', '0A7F'), ('gu', '0A80', '0AFF'), ('or', '0B00', '0B7F'),
    ('ta', '0B80', '0BFF'), ('te', '0C00', '0C7F'), ('kn', '0C80', '0CFF'), ('ml', '0D00', '0D7F'),
    ('hi', '0900', '097F'),
] -%}
{%- set marathi = '(?:^|[^\\\\x{0900}-\\\\x{097F}])(?:आहे|आहेत|आणि|नाही|मध्ये|आम्ही|तुम्ही|माझा|माझी|माझे|झाले|झाला|केले|पण|मी)(?:[^\\\\x{0900}-\\\\x{097F}]|$)|ळ' -%}
{%- set hindi = '(?:^|[^\\\\x{0900}-\\\\x{097F}])(?:है|हैं|और|नहीं|में|का|की|के|को|से|मैं|यह|हम|आप|लिए)(?:[^\\\\x{0900}-\\\\x{097F}]|$)' -%}
if(match({{ text }}, '[\\x{0900}-\\x{0D7F}]'),
    arrayElement(arrayReverseSort([
        {%- for code, first, last in scripts %}
        (
            countMatches({{ text }}, '[\\x{{ '{' }}{{ first }}}-\\x{{ '{' }}{{ last }}}]'),
            {%- if code == 'hi' %}
            if(
                countMatches({{ text }}, '{{ marathi }}')
                    > countMatches({{ text }}, '{{ hindi }}'),
                'mr', 'hi'
            )
            {%- else %}
            '{{ code }}'
            {%- endif %}
        ),
        {%- endfor %}
        (intDiv(countMatches({{ text }}, '[A-Za-z]'), 2), 'en')
    ]), 1).2,
    if(match({{ text }}, '[A-Za-z]'), 'en', null)
)
{%- endmacro %}
