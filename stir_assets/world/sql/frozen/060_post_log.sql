-- The log of post scrapes before the event stream took over; it stopped.
INSERT INTO beat_replica.post_log (id, platform, platform_post_id, profile_id, metrics, dimensions, source, timestamp)
SELECT toInt64(cityHash64(event_id) % 9000000000000000), platform, shortcode, profile_id, metrics, '{}', source, event_timestamp
FROM `_e`.post_log_events
WHERE event_timestamp < toDateTime({start:Int64} + 20 * 86400)
