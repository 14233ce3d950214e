-- State of each channel at its last scrape in the window.
INSERT INTO beat_replica.youtube_account
    (id, channel_id, title, custom_url, description, thumbnail, country, tagged_country, language, account_type, subscribers, views,
     uploads, created_at, updated_at)
WITH
    /* prelude */,
    level(followers, growth, viral_at, viral_gain, t) AS followers_now
SELECT
    20000 + toInt64(idx) AS id, channel_id, title, custom_url,
    concat(title, ' | ', category, ' videos every week. Contact: ', substring(custom_url, 2), '@example.com') AS description,
    concat('https://i.example.com/ch/', channel_id, '=s88-c-k') AS thumbnail,
    country, tagged_country,
    if(unit(channel_id, 0, 70) < 0.3, transform(language, ['kn'], ['ka'], language), NULL) AS language_tag,
    label AS account_type,
    followers_now AS subscribers,
    toInt64(followers_now * views_per_video * (60 + (t - born) / 864000)) AS views,
    20 + intDiv(t - born, post_every) AS uploads,
    toDateTime(born) AS created_at,
    toDateTime(t) AS updated_at
FROM
(
    SELECT *, toInt64({start:Int64} + observe_phase + k * observe_every + unit(channel_id, k, 50) * 0.5 * observe_every) AS t
    FROM stir_world.yt_channel
    ARRAY JOIN range(
        toUInt64(greatest(0, intDiv({t0:Int64} - {start:Int64} - observe_phase, observe_every) - 1)),
        toUInt64(greatest(0, intDiv({t1:Int64} - {start:Int64} - observe_phase, observe_every) + 1))
    ) AS k
    WHERE t > {t0:Int64} AND t <= {t1:Int64} AND t > born AND (gone = 0 OR t < gone)
    ORDER BY t DESC
    LIMIT 1 BY idx
)
