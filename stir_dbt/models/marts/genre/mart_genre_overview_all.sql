{#- All countries; followers count towards demographics as soon as an audience row exists. -#}
{{ genre_overview(known_demographics_only=false) }}
