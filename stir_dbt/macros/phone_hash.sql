{% macro phone_digits(phone) -%}
{#- The last ten digits of a phone number in any spelling; NULL when it has fewer, so that +91 98... equals 098... -#}
if(
    length(replaceRegexpAll(coalesce(toString({{ phone }}), ''), '[^0-9]', '')) >= 10,
    right(replaceRegexpAll(coalesce(toString({{ phone }}), ''), '[^0-9]', ''), 10),
    null
)
{%- endmacro %}

{% macro phone_hash(phone) -%}
{#-
    Salted SHA-256 of a phone number: the same number gives the same hash in every table, and nobody without the
    salt can list it. The salt comes from STIR_PII_SALT, has no default outside a local stack, and is itself hashed
    first, so that it stands in no SQL text or log. Rotating it changes every hash at the next full build.
-#}
{%- set salt = env_var('STIR_PII_SALT', '') -%}
{%- if salt == '' and execute and env_var('STIR_ENV', 'local') != 'local' -%}
    {{ exceptions.raise_compiler_error(
        "STIR_PII_SALT is not set: phone numbers are stored only as salted hashes. "
        ~ "Set it to a long random text, the same for every run."
    ) }}
{%- endif -%}
{%- set key = local_md5('stir phone numbers ' ~ salt) -%}
lower(hex(SHA256(concat('{{ key }}', {{ phone_digits(phone) }}))))
{%- endmacro %}

{% macro phone_mask(phone) -%}
{#- The last four digits, the rest as stars: enough for a person who knows the number to recognise it. -#}
concat('******', right({{ phone_digits(phone) }}, 4))
{%- endmacro %}
