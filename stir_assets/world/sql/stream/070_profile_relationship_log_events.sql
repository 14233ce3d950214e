-- Follow relations that arrive in the window. A few profiles are scraped deeply; most followers are known accounts.
INSERT INTO `_e`.profile_relationship_log_events
    (event_timestamp, target_profile_id, source_dimensions, event_id, insert_timestamp, platform, source_profile_id)
WITH
    /* prelude */,
    toInt64({start:Int64} + (n + unit('follow', n, 330)) * every) AS t
SELECT
    toDateTime(t) AS event_timestamp,
    p.profile_id AS target_profile_id,
    multiIf(
        unit('follow', n, 335) < 0.01, '{"handle": "", "full_name": ""}',
        known, toJSONString(map('handle', s.handle, 'full_name', s.full_name, 'profile_pic_url', concat('https://media.example.com/p/', s.profile_id, '.jpg'))),
        toJSONString(map('handle', concat('user', toString(stranger)), 'full_name', concat(pick(words['first_names'], 'follow', stranger, 337), ' ', pick(words['last_names'], 'follow', stranger, 338)),
            'profile_pic_url', concat('https://media.example.com/u/', toString(stranger), '.jpg')))) AS source_dimensions,
    lower(hex(draw('follow', n, 339))) AS event_id,
    toDateTime(t + 15) AS insert_timestamp,
    'INSTAGRAM' AS platform,
    if(known, s.profile_id, toString(8000000000 + stranger)) AS source_profile_id
FROM
(
    SELECT
        number + toUInt64(greatest(0, floor(({t0:Int64} - {start:Int64}) / every) - 2)) AS n,
        280 * 86400 / greatest(9000, 100000 * {scale:Float64}) AS every,
        toUInt32(if(cityHash64({seed:UInt64}, n, 331) % 4 < 3,
            cityHash64({seed:UInt64}, n, 332) % greatest(5, intDiv({profiles:UInt32}, 80)),
            cityHash64({seed:UInt64}, n, 332) % {profiles:UInt32})) AS target_idx,
        cityHash64({seed:UInt64}, n, 333) % 10 < 6 AS known,
        toUInt32(cityHash64({seed:UInt64}, n, 334) % {profiles:UInt32}) AS source_idx,
        cityHash64({seed:UInt64}, n, 336) % 2000000 AS stranger
    FROM numbers(toUInt64(4 + ({t1:Int64} - {t0:Int64}) / (280 * 86400 / greatest(9000, 100000 * {scale:Float64}))))
) AS r
INNER JOIN stir_world.ig_profile AS p ON p.idx = r.target_idx
INNER JOIN stir_world.ig_profile AS s ON s.idx = r.source_idx
WHERE t + 15 > {t0:Int64} AND t + 15 <= {t1:Int64}
