{% macro engine_clause() %}
{#-
    Replaces the adapter's macro of this name: on a cluster (STIR_CLICKHOUSE_CLUSTER) every MergeTree becomes the
    replicated one, so that models name one engine and run unchanged on a single node and on a cluster. Without it
    `create ... on cluster` would make a table on every replica and fill the one on the node that dbt talks to.
-#}
{%- set engine = config.get('engine', default='MergeTree()') -%}
{%- set is_merge_tree = engine.split('(')[0].endswith('MergeTree') and not engine.startswith('Replicated') -%}
  engine = {{ 'Replicated' ~ engine if target.cluster and is_merge_tree else engine }}
{%- endmacro %}
