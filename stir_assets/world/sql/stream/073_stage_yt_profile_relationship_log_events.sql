-- hourly
-- The same of the stage scrapers: test data.
INSERT INTO `_stage_e`.yt_profile_relationship_log_events
    (source_channel_id, target_channel_id, subscribed_on, event_timestamp, event_id, insert_timestamp, source_title, target_title)
WITH
    /* prelude */,
    toInt64({start:Int64} + (n + unit('stage_subscription', n, 340)) * every) AS t
SELECT
    if(known, s.channel_id, concat('UC', substring(lower(hex(sipHash128(subscriber))), 1, 22))) AS source_channel_id,
    c.channel_id AS target_channel_id,
    fromUnixTimestamp64Milli((t - toInt64(draw(subscriber, target_idx, 341) % 63072000)) * 1000) AS subscribed_on,
    toDateTime(t) AS event_timestamp,
    lower(hex(draw('stage_subscription', n, 342))) AS event_id,
    toDateTime(t + 15) AS insert_timestamp,
    if(known, s.title, concat(pick(words['first_names'], 'sub', subscriber, 343), ' ', toString(subscriber))) AS source_title,
    c.title AS target_title
FROM
(
    SELECT
        number + toUInt64(greatest(0, floor(({t0:Int64} - {start:Int64}) / every) - 2)) AS n,
        280 * 86400 / greatest(800, 2000 * {scale:Float64}) AS every,
        toUInt32({channels:UInt32} * pow(cityHash64({seed:UInt64}, 'stage_subscription', n, 344) / 18446744073709551616, 3)) AS target_idx,
        cityHash64({seed:UInt64}, 'stage_subscription', n, 345) % 10 = 0 AS known,
        toUInt32(cityHash64({seed:UInt64}, 'stage_subscription', n, 346) % {channels:UInt32}) AS source_idx,
        cityHash64({seed:UInt64}, 'stage_subscription', n, 347) % toUInt64(greatest(500, 4000 * {scale:Float64})) AS subscriber
    FROM numbers(toUInt64(4 + ({t1:Int64} - {t0:Int64}) / (280 * 86400 / greatest(800, 2000 * {scale:Float64}))))
) AS r
INNER JOIN stir_world.yt_channel AS c ON c.idx = r.target_idx
INNER JOIN stir_world.yt_channel AS s ON s.idx = r.source_idx
WHERE t + 15 > {t0:Int64} AND t + 15 <= {t1:Int64}
