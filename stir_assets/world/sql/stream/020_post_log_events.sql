-- Scrapes of posts that arrive in the window: late and repeated ones, clocks that run ahead, broken counters.
INSERT INTO `_e`.post_log_events
    (event_id, event_timestamp, insert_timestamp, platform, shortcode, profile_id, handle, source, publish_time, metrics, dimensions)
WITH
    /* prelude */,
    seen_at(p.at, p.id, j) AS t,
    t + 5 + toInt64(draw(p.id, j, 30) % 55) + if(unit(p.id, j, 31) < 0.01, toInt64(draw(p.id, j, 32) % 169200), 0)
        + copy * (300 + toInt64(draw(p.id, j, 33) % 600)) AS arrival,
    unit(p.id, j, 34) AS fate,
    -- broken readings of all counters: a spike, a drop, a negative; the others are true
    multiIf(fate < 0.002, 4.0, fate < 0.004, 0.3, fate < 0.0043, -0.001, 1.0) * progress(t - p.at, p.tau) AS share,
    -- one counter that was not reported
    if(fate > 0.99, draw(p.id, j, 35) % 3, 9) AS blank,
    multiIf(fate BETWEEN 0.005 AND 0.0052, t + 40 * 86400, fate BETWEEN 0.0052 AND 0.0054, p.at - 3 * 86400, t) AS stamp,
    p.insights AND unit(p.id, j, 36) < 0.5 AS official,
    if(NOT official AND unit(p.id, j, 37) < 0.15, '"', '') AS q,
    if(blank = 0, 0, toInt64(p.peak_likes * share)) AS likes,
    if(blank = 1, 0, toInt64(p.peak_comments * share)) AS comments,
    if(blank = 2, 0, toInt64(p.peak_plays * share)) AS plays
SELECT
    lower(hex(draw(p.id, j, 38))) AS event_id,
    toDateTime(stamp) AS event_timestamp,
    toDateTime(arrival) AS insert_timestamp,
    p.platform AS platform,
    p.shortcode AS shortcode,
    p.profile_id AS profile_id,
    p.handle AS handle,
    multiIf(p.platform = 'YOUTUBE', 'ytapi', official, 'graphapi', unit(p.id, j, 39) < 0.7, 'webapi', 'mobileapi') AS source,
    toDateTime(p.at) AS publish_time,
    multiIf(
        p.platform = 'YOUTUBE',
            concat('{"likes": ', q, toString(likes), q, ', "comments": ', q, toString(comments), q, ', "view_count": ', q, toString(plays), q, '}'),
        p.post_type = 'story',
            concat('{"reach": ', toString(if(official, toInt64(p.followers * 0.08 * progress(t - p.at, 20000)), 0)),
                ', "impressions": ', toString(if(official, toInt64(p.followers * 0.09 * progress(t - p.at, 20000)), 0)),
                ', "taps_forward": ', toString(toInt64(likes * 3)), ', "taps_back": ', toString(toInt64(likes / 4)),
                ', "exits": ', toString(toInt64(likes / 2)), ', "sticker_taps": ', toString(toInt64(likes / 20)),
                ', "swipe_ups": ', toString(toInt64(likes / 30)), ', "profile_follower": ', toString(p.followers),
                ', "profile_er": ', toString(round(100 * p.peak_likes * 5 / greatest(p.followers, 1), 4)), '}'),
        concat('{"likes": ', q, toString(likes), q, ', "comments": ', q, toString(comments), q,
            if(p.post_type = 'reels', concat(', "play_count": ', q, toString(plays), q, ', "view_count": ', q, toString(plays), q), ''),
            if(official, concat(', "saves": ', toString(intDiv(likes, 12)), ', "shares": ', toString(intDiv(likes, 20)),
                ', "reach": ', toString(toInt64(if(plays > 0, plays * 0.8, likes * 5))),
                ', "impressions": ', toString(toInt64(if(plays > 0, plays * 1.02, likes * 5.6)))), ''), '}')
    ) AS metrics,
    if(p.platform = 'YOUTUBE', toJSONString(map('title', p.title, 'post_type', p.post_type)), toJSONString(map(
        'post_type', p.post_type,
        'thumbnail_src', concat('https://media.example.com/', p.shortcode, '.jpg'),
        'user_tags', if(empty(p.tagged), '[]', concat('[', arrayStringConcat(arrayMap(n -> concat('{"user": {"username": "', n, '"}}'), p.tagged_handles), ', '), ']')),
        'location', if(p.place < 0 OR official, '[]', concat(pick(words['landmarks'], p.id, 0, 40), ', ', words['city_paths'][p.place + 1])),
        'location_lat', if(p.place < 0 OR official, '', toString(round(8 + p.place * 0.9, 4))),
        'location_long', if(p.place < 0 OR official, '', toString(round(70 + p.place * 0.7, 4)))
    ))) AS dimensions
FROM
(
    SELECT *, arrayMap(i -> handles[i + 1], tagged) AS tagged_handles
    FROM stir_world.post
    CROSS JOIN (SELECT groupArray(handle) AS handles FROM (SELECT handle FROM stir_world.ig_profile ORDER BY idx)) AS all_handles
    WHERE at > {t0:Int64} - 50 * 86400
) AS p
ARRAY JOIN range(seen_from(p.at, {t0:Int64} - 172800), least(p.observations, seen_to(p.at, {t1:Int64}))) AS j
ARRAY JOIN if(unit(p.id, j, 41) < 0.004, [0, 1], [0]) AS copy
WHERE t <= {t1:Int64} AND arrival > {t0:Int64} AND arrival <= {t1:Int64} AND (p.gone = 0 OR t < p.gone)
