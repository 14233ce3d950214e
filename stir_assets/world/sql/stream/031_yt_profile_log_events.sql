-- Scrapes of channels that arrive in the window.
INSERT INTO `_e`.profile_log_events
    (source, platform, profile_id, handle, metrics, dimensions, event_timestamp, insert_timestamp, event_id)
WITH
    /* prelude */,
    toInt64({start:Int64} + c.observe_phase + k * c.observe_every + unit(c.channel_id, k, 50) * 0.5 * c.observe_every) AS t,
    t + 5 + toInt64(draw(c.channel_id, k, 51) % 55) + if(unit(c.channel_id, k, 52) < 0.01, toInt64(draw(c.channel_id, k, 53) % 169200), 0)
        + copy * (300 + toInt64(draw(c.channel_id, k, 54) % 600)) AS arrival,
    unit(c.channel_id, k, 55) AS fate,
    level(c.followers, c.growth, c.viral_at, c.viral_gain, t) AS followers_now
SELECT
    'ytapi' AS source,
    'YOUTUBE' AS platform,
    c.channel_id AS profile_id,
    c.channel_id AS handle,
    concat('{"subscriber_count": ', toString(multiIf(fate < 0.001, toInt64(followers_now * 0.02), fate < 0.002, 0, followers_now)),
        ', "view_count": ', toString(toInt64(followers_now * c.views_per_video * (60 + (t - c.born) / 864000))),
        ', "video_count": ', toString(20 + intDiv(t - c.born, c.post_every)), '}') AS metrics,
    toJSONString(map('title', c.title)) AS dimensions,
    toDateTime(if(fate > 0.9998, t + 40 * 86400, t)) AS event_timestamp,
    toDateTime(arrival) AS insert_timestamp,
    lower(hex(draw(c.channel_id, k, 59))) AS event_id
FROM stir_world.yt_channel AS c
ARRAY JOIN range(
    toUInt64(greatest(0, intDiv({t0:Int64} - 172800 - {start:Int64} - c.observe_phase, c.observe_every) - 1)),
    toUInt64(greatest(0, intDiv({t1:Int64} - {start:Int64} - c.observe_phase, c.observe_every) + 1))
) AS k
ARRAY JOIN if(unit(c.channel_id, k, 60) < 0.004, [0, 1], [0]) AS copy
WHERE t <= {t1:Int64} AND arrival > {t0:Int64} AND arrival <= {t1:Int64} AND t > c.born AND (c.gone = 0 OR t < c.gone)
