{% macro phone_digits(phone) -%}
{#- The last ten digits of a phone number in any spelling; NULL when it has fewer, so that +91 98... equals 098... -#}
if(
    length(replaceRegexpAll(coalesce(toString({{ phone }}), ''), '[^0-9]', '')) >= 10,
    right(replaceRegexpAll(coalesce(toString({{ phone }}), ''), '[^0-9]', ''), 10),
    null
)
{%- endmacro %}

{% macro phone_key() -%}
{#-
    The key of phone_hash(), read from the table that stir_assets/core/phone_key.py fills from STIR_PII_SALT. Neither
    the salt nor the key stands in SQL text, so query logs and compiled models may be read by anybody. A table without
    the key stops the query. Unit tests override this macro.
-#}
{%- set missing = "the phone key is not stored: set STIR_PII_SALT and run `stir phone-key`" -%}
{%- set table = api.Relation.create(schema=target.schema ~ '_keys', identifier='phone_key') -%}
{%- if execute and not load_relation(table) -%}
    {{ exceptions.raise_compiler_error(missing) }}
{%- endif -%}
(select argMax(stored.key, stored.stored_at) from {{ table }} as stored having throwIf(count() = 0, '{{ missing }}') = 0)
{%- endmacro %}

{% macro phone_hash(phone) -%}
{#-
    Keyed SHA-256 of a phone number: the same number gives the same hash in every table, and nobody without the key can
    list it. NULL for less than ten digits.
-#}
lower(hex(SHA256(concat({{ phone_key() }}, {{ phone_digits(phone) }}))))
{%- endmacro %}

{% macro phone_mask(phone) -%}
{#- The last four digits, the rest as stars: enough for a person who knows the number to recognise it. -#}
concat('******', right({{ phone_digits(phone) }}, 4))
{%- endmacro %}
