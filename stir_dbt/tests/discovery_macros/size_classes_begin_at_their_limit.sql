-- Rows where an account on a limit is in the wrong class.
with samples as (
    select sample.1 as followers, sample.2 as expected_group, sample.3 as expected_label
    from (select arrayJoin([
        (0, '0-5k', 'Nano'), (999, '0-5k', 'Nano'), (1000, '0-5k', 'Micro'), (4999, '0-5k', 'Micro'), (5000, '5k-10k', 'Micro'),
        (10000, '10k-50k', 'Micro'), (50000, '50k-100k', 'Micro'), (75000, '50k-100k', 'Macro'), (100000, '100k-500k', 'Macro'),
        (500000, '500k-1M', 'Macro'), (999999, '500k-1M', 'Macro'), (1000000, '1M+', 'Mega')
    ]) as sample)
)

select *
from samples
where {{ follower_group('followers') }} != expected_group or {{ creator_label('followers') }} != expected_label
