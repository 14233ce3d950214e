-- Scrapes of posts that arrive in the window: late and repeated ones, clocks that run ahead, broken counters.
-- In three steps: one expression over all of it takes ten times as long to plan as to run.
INSERT INTO `_e`.post_log_events
    (event_id, event_timestamp, insert_timestamp, platform, shortcode, profile_id, handle, source, publish_time, metrics,
     dimensions)
WITH
    /* prelude */
SELECT
    lower(hex(draw(id, j, 38))) AS event_id,
    toDateTime(multiIf(fate BETWEEN 0.005 AND 0.0052, t + 40 * 86400, fate BETWEEN 0.0052 AND 0.0054, at - 3 * 86400, t)) AS event_timestamp,
    toDateTime(arrival) AS insert_timestamp,
    platform,
    shortcode,
    profile_id,
    handle,
    multiIf(platform = 'YOUTUBE', 'ytapi', official, 'graphapi', unit(id, j, 39) < 0.7, 'webapi', 'mobileapi') AS source,
    toDateTime(at) AS publish_time,
    multiIf(
        platform = 'YOUTUBE',
            concat('{"likes": ', q, toString(likes), q, ', "comments": ', q, toString(comments), q, ', "view_count": ', q, toString(plays), q, '}'),
        post_type = 'story',
            concat('{"reach": ', toString(if(official, toInt64(followers * 0.08 * story_share), 0)),
                ', "impressions": ', toString(if(official, toInt64(followers * 0.09 * story_share), 0)),
                ', "taps_forward": ', toString(toInt64(likes * 3)), ', "taps_back": ', toString(toInt64(likes / 4)),
                ', "exits": ', toString(toInt64(likes / 2)), ', "sticker_taps": ', toString(toInt64(likes / 20)),
                ', "swipe_ups": ', toString(toInt64(likes / 30)), ', "profile_follower": ', toString(followers),
                ', "profile_er": ', toString(round(100 * peak_likes * 5 / greatest(followers, 1), 4)), '}'),
        concat('{"likes": ', q, toString(likes), q, ', "comments": ', q, toString(comments), q,
            if(post_type = 'reels', concat(', "play_count": ', q, toString(plays), q, ', "view_count": ', q, toString(plays), q), ''),
            if(official, concat(', "saves": ', toString(intDiv(likes, 12)), ', "shares": ', toString(intDiv(likes, 20)),
                ', "reach": ', toString(toInt64(if(plays > 0, plays * 0.8, likes * 5))),
                ', "impressions": ', toString(toInt64(if(plays > 0, plays * 1.02, likes * 5.6)))), ''), '}')
    ) AS metrics,
    if(platform = 'YOUTUBE', toJSONString(map('title', title, 'post_type', post_type)), toJSONString(map(
        'post_type', post_type,
        'thumbnail_src', concat('https://media.example.com/', shortcode, '.jpg'),
        'user_tags', if(empty(tagged), '[]', concat('[', arrayStringConcat(arrayMap(n -> concat('{"user": {"username": "', n, '"}}'), tagged), ', '), ']')),
        'location', if(place < 0 OR official, '[]', concat(pick(words['landmarks'], id, 0, 40), ', ', words['city_paths'][place + 1])),
        'location_lat', if(place < 0 OR official, '', toString(round(8 + place * 0.9, 4))),
        'location_long', if(place < 0 OR official, '', toString(round(70 + place * 0.7, 4)))
    ))) AS dimensions
FROM
(
    SELECT *,
        if(NOT official AND unit(id, j, 37) < 0.15, '"', '') AS q,
        if(blank = 0, 0, toInt64(peak_likes * share)) AS likes,
        if(blank = 1, 0, toInt64(peak_comments * share)) AS comments,
        if(blank = 2, 0, toInt64(peak_plays * share)) AS plays,
        progress(t - at, 20000) AS story_share
    FROM
    (
        SELECT *,
            insights AND unit(id, j, 36) < 0.5 AS official,
            -- broken readings of all counters: a spike, a drop, a negative; the others are true
            multiIf(fate < 0.002, 4.0, fate < 0.004, 0.3, fate < 0.0043, -0.001, 1.0) * progress(t - at, tau) AS share,
            -- one counter that was not reported
            if(fate > 0.99, draw(id, j, 35) % 3, 9) AS blank
        FROM
        (
            SELECT *, j, unit(id, j, 34) AS fate,
                t + 5 + toInt64(draw(id, j, 30) % 55) + if(unit(id, j, 31) < 0.01, toInt64(draw(id, j, 32) % 169200), 0)
                    + copy * (300 + toInt64(draw(id, j, 33) % 600)) AS arrival
            FROM
            (
                SELECT *, j, seen_at(at, id, j) AS t FROM stir_world.post
                ARRAY JOIN range(seen_from(at, {t0:Int64} - 172800), least(observations, seen_to(at, {t1:Int64}))) AS j
                WHERE at > {t0:Int64} - 50 * 86400
            )
            ARRAY JOIN if(unit(id, j, 41) < 0.004, [0, 1], [0]) AS copy
            WHERE t <= {t1:Int64} AND (gone = 0 OR t < gone)
        )
        WHERE arrival > {t0:Int64} AND arrival <= {t1:Int64}
    )
)
