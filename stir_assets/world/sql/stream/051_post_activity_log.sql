-- The same comments in the scraper's own log.
INSERT INTO beat_replica.post_activity_log
    (id, platform, activity_type, platform_post_id, actor_profile_id, dimensions, metrics, source, timestamp)
SELECT
    toInt64(cityHash64(event_id) % 9000000000000000) AS id, platform, activity_type, shortcode, actor_profile_id, dimensions,
    concat('{"likes": ', toString(cityHash64(event_id, 1) % 40), '}') AS metrics,
    if(platform = 'YOUTUBE', 'ytapi', 'webapi') AS source,
    event_timestamp AS timestamp
FROM `_e`.post_activity_log_events
WHERE insert_timestamp > toDateTime({t0:Int64}) AND insert_timestamp <= toDateTime({t1:Int64})
    AND publish_time > toDateTime({t0:Int64} - 40 * 86400)
