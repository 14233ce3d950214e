-- Monthly lifetime counters from January 2022 on, dump of 20230219 (counters are texts).
INSERT INTO vidooly.channels_monthly_stats_20230219 (id, month, lifetime_views, lifetime_subscribers, lifetime_uploads)
WITH
    /* prelude */,
    addMonths(toDate('2022-01-01'), n) AS month_start,
    toInt64(toUnixTimestamp(toDateTime(month_start, 'UTC'))) AS t,
    level(followers, growth, viral_at, viral_gain, t) AS followers_now
SELECT
    channel_id, toString(month_start),
    toString(toInt64(followers_now * views_per_video * (60 + greatest(t - born, 0) / 864000))),
    toString(followers_now),
    toString(20 + intDiv(greatest(t - born, 0), post_every))
FROM stir_world.yt_channel
ARRAY JOIN range(14) AS n
WHERE cityHash64({seed:UInt64}, channel_id, 620) % 100 < 75
