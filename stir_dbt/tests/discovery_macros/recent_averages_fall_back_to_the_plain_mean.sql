-- Rows where NaN, infinity or 0 of the mean without outliers is taken for a value.
with samples as (
    select sample.1 as without_outliers, sample.2 as plain, sample.3 as media_count, sample.4 as expected
    from (select arrayJoin([
        (toNullable(2.), toNullable(5.), 9, toNullable(2.)), (0., 5., 9, 5.), (nan, 5., 9, 5.), (inf, 5., 9, 5.), (null, 5., 9, 5.),
        (null, null, 9, null), (nan, nan, 9, null), (2., 5., 0, 0.), (0., 0., 9, 0.)
    ]) as sample)
)

select
    *,
    {{ recent_average('without_outliers', 'plain', 'media_count') }} as average
from samples
-- Null-safe without <=>, which ClickHouse 25.8 knows in joins only.
where ifNull(average != expected, (average is null) != (expected is null))
