-- Comments that arrive in the window, as events.
INSERT INTO `_e`.post_activity_log_events
    (shortcode, publish_time, event_id, event_timestamp, insert_timestamp, platform, activity_type, actor_profile_id, dimensions)
WITH
    /* prelude */,
    toInt64(at + 1209600 * pow(unit(p.id, n, 300), 2)) AS said,
    said + 600 + toInt64(draw(p.id, n, 301) % 18000) AS read
SELECT
    shortcode,
    toDateTime(said) AS publish_time,
    lower(hex(draw(p.id, n, 302))) AS event_id,
    toDateTime(read) AS event_timestamp,
    toDateTime(read + 10) AS insert_timestamp,
    platform,
    if(unit(p.id, n, 303) < 0.85, 'COMMENT', 'LIKE') AS activity_type,
    toString(7000000000 + draw(p.id, n, 304) % 900000) AS actor_profile_id,
    toJSONString(map('text', pick(words['comments'], p.id, n, 305), 'handle', concat('fan', toString(draw(p.id, n, 304) % 900000)))) AS dimensions
FROM stir_world.post AS p
ARRAY JOIN range(1 + draw(p.id, 0, 306) % 10) AS n
WHERE p.at > {t0:Int64} - 15 * 86400 AND draw(p.id, 0, 307) % 4 = 0 AND p.post_type != 'story'
    AND read + 10 > {t0:Int64} AND read + 10 <= {t1:Int64}
