-- Rows where a grade is given without reason, or a value on a limit is lifted above it.
with samples as (
    select sample.1 as value, sample.2 as p90, sample.3 as expected
    from (select arrayJoin([
        (toNullable(91.), toNullable(90.), 'Excellent'), (90., 90., 'Very Good'), (90.00000000000001, 90., 'Very Good'),
        (75., 90., 'Good'), (60., 90., 'Average'), (40., 90., 'Poor'), (-5., 90., 'Poor'),
        (0., 90., ''), (nan, 90., ''), (inf, 90., ''), (null, 90., ''), (50., null, ''), (50., nan, '')
    ]) as sample)
)

select
    *,
    {{ percentile_grade('value', '40.', '60.', '75.', 'p90') }} as grade
from samples
where coalesce(grade, '') != expected
