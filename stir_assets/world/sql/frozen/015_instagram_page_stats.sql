-- Old monthly page statistics of Instagram, 2022.
INSERT INTO vidooly.instagram_page_stats (page_id, month, prev_followers, followers)
WITH
    /* prelude */,
    (n) -> level(followers, growth, viral_at, viral_gain, toInt64(toUnixTimestamp(toDateTime(addMonths(toDate('2022-01-01'), n), 'UTC')))) AS at_month
SELECT profile_id, formatDateTime(addMonths(toDate('2022-01-01'), n), '%Y%m'), toString(at_month(n)), toString(at_month(n + 1) - at_month(n))
FROM stir_world.ig_profile
ARRAY JOIN range(11) AS n
WHERE cityHash64({seed:UInt64}, profile_id, 630) % 10 < 4
