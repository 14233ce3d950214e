-- Scrapes of Instagram profiles that arrive in the window.
INSERT INTO `_e`.profile_log_events
    (source, platform, profile_id, handle, metrics, dimensions, event_timestamp, insert_timestamp, event_id)
WITH
    /* prelude */,
    toInt64({start:Int64} + p.observe_phase + k * p.observe_every + unit(p.idx, k, 50) * 0.5 * p.observe_every) AS t,
    t + 5 + toInt64(draw(p.idx, k, 51) % 55) + if(unit(p.idx, k, 52) < 0.01, toInt64(draw(p.idx, k, 53) % 169200), 0)
        + copy * (300 + toInt64(draw(p.idx, k, 54) % 600)) AS arrival,
    unit(p.idx, k, 55) AS fate,
    level(p.followers, p.growth, p.viral_at, p.viral_gain, t) AS followers_now
SELECT
    if(unit(p.idx, k, 56) < 0.8, 'webapi', 'graphapi') AS source,
    'INSTAGRAM' AS platform,
    p.profile_id AS profile_id,
    p.handle AS handle,
    concat('{"followers": ', toString(multiIf(fate < 0.001, toInt64(followers_now * 0.02), fate < 0.002, 0, followers_now)),
        ', "following": ', toString(p.following + toInt64(draw(p.idx, k, 57) % 5)),
        ', "media_count": ', toString(12 + intDiv(t - p.born, p.post_every)), '}') AS metrics,
    if(unit(p.idx, 0, 58) < 0.06, toJSONString(map('full_name', p.full_name, 'contact_phone', p.phone)), toJSONString(map('full_name', p.full_name))) AS dimensions,
    toDateTime(if(fate > 0.9998, t + 40 * 86400, t)) AS event_timestamp,
    toDateTime(arrival) AS insert_timestamp,
    lower(hex(draw(p.idx, k, 59))) AS event_id
FROM stir_world.ig_profile AS p
ARRAY JOIN range(
    toUInt64(greatest(0, intDiv({t0:Int64} - 172800 - {start:Int64} - p.observe_phase, p.observe_every) - 1)),
    toUInt64(greatest(0, intDiv({t1:Int64} - {start:Int64} - p.observe_phase, p.observe_every) + 1))
) AS k
ARRAY JOIN if(unit(p.idx, k, 60) < 0.004, [0, 1], [0]) AS copy
WHERE t <= {t1:Int64} AND arrival > {t0:Int64} AND arrival <= {t1:Int64} AND t > p.born AND (p.gone = 0 OR t < p.gone)
