-- Rows where one number in two spellings differs, a bad number is hashed, or a digit too many is shown.
with samples as (
    select sample.1 as phone, sample.2 as expected_mask
    from (select arrayJoin([
        (toNullable('9876543210'), toNullable('******3210')), ('+91 98765-43210', '******3210'), ('09876543210', '******3210'),
        ('12345', null), ('', null), ('call me', null), (null, null)
    ]) as sample)
),

hashed as (
    select
        phone,
        expected_mask,
        {{ phone_mask('phone') }} as mask,
        {{ phone_hash('phone') }} as hash
    from samples
)

select *
from hashed
where
    coalesce(mask, '') != coalesce(expected_mask, '')
    or (expected_mask is null) != (hash is null)
    or (hash is not null and (length(hash) != 64 or hash != (select min(hash) from hashed)))
