-- Rows where a code or a name is not turned into the code of the product's database.
with samples as (
    select sample.1 as written, sample.2 as expected_of_code, sample.3 as expected_of_name
    from (select arrayJoin([
        (toNullable('hi-IN'), 'hi', ''), ('EN_us', 'en', ''), ('kn', 'ka', ''), ('kn-IN', 'ka', ''), ('ta', 'ta', ''), ('', '', ''),
        (null, '', ''), ('Kannada', 'kannada', 'ka'), (' ASSAMESE ', ' assamese ', 'as'), ('Klingon', 'klingon', '')
    ]) as sample)
)

select *
from samples
where
    coalesce({{ platform_language('written') }}, '') != expected_of_code
    or coalesce({{ language_code('written') }}, '') != expected_of_name
