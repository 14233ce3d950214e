-- The vendor's snapshots from February to July 2023, one a week.
INSERT INTO vidooly.youtube_channels
    (id, country, custom_url, title, description, thumbnail, video_count, view_count, subscriber_count, last_updated_at, _path, snapshot_date)
WITH
    /* prelude */,
    toInt64(toUnixTimestamp(toDateTime('2023-02-05 02:30:00', 'UTC'))) + week * 604800 AS t,
    level(followers, growth, viral_at, viral_gain, t) AS followers_now
SELECT
    channel_id, country, custom_url, title, concat(title, ' | ', category, ' videos'),
    concat('https://i.example.com/ch/', channel_id, '=s88-c-k'),
    toString(20 + intDiv(greatest(t - born, 0), post_every)),
    toString(toInt64(followers_now * views_per_video * (60 + greatest(t - born, 0) / 864000))),
    toString(followers_now),
    formatDateTime(toDateTime(t, 'UTC'), '%Y-%m-%d %H:%i:%S'),
    concat('vidooly/channels/youtube_channels_', toString(toDate(t)), '.json'),
    toDate(t)
FROM stir_world.yt_channel
ARRAY JOIN range(26) AS week
WHERE cityHash64({seed:UInt64}, channel_id, 540) % 100 < 70
