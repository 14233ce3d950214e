{#- The market of the product. -#}
{{ genre_overview(country=var('market_country')) }}
