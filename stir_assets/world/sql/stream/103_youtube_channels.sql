-- hourly
-- The vendor's channel snapshots of each morning in the window: the last six weeks daily.
INSERT INTO vidooly.youtube_channels
    (id, country, custom_url, title, description, thumbnail, video_count, view_count, subscriber_count, last_updated_at, _path, snapshot_date)
WITH
    /* prelude */,
    level(followers, growth, viral_at, viral_gain, t) AS followers_now
SELECT
    channel_id AS id,
    multiIf(country IS NULL, NULL, country = 'IN' AND unit(channel_id, 0, 541) < 0.2, 'India', country) AS country,
    custom_url, title, concat(title, ' | ', category, ' videos') AS description,
    concat('https://i.example.com/ch/', channel_id, '=s88-c-k') AS thumbnail,
    toString(20 + intDiv(t - born, post_every)) AS video_count,
    toString(toInt64(followers_now * views_per_video * (60 + (t - born) / 864000))) AS view_count,
    toString(followers_now) AS subscriber_count,
    formatDateTime(toDateTime(t, 'UTC'), '%Y-%m-%d %H:%i:%S') AS last_updated_at,
    concat('vidooly/channels/youtube_channels_', toString(toDate(t)), '.json') AS _path,
    toDate(t) AS snapshot_date
FROM
(
    SELECT *, day * 86400 + 9000 AS t
    FROM stir_world.yt_channel
    ARRAY JOIN range(
        toUInt64(intDiv(greatest({t0:Int64}, {anchor:Int64} - 42 * 86400), 86400)),
        toUInt64(intDiv({t1:Int64}, 86400) + 1)
    ) AS day
    WHERE cityHash64({seed:UInt64}, channel_id, 540) % 100 < 70
)
WHERE t > {t0:Int64} AND t <= {t1:Int64} AND t > born AND (gone = 0 OR t < gone)
