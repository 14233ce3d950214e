-- The log of profile scrapes before the event stream took over; it stopped.
INSERT INTO beat_replica.profile_log (id, platform, profile_id, metrics, dimensions, source, timestamp)
SELECT toInt64(cityHash64(event_id) % 9000000000000000), platform, profile_id, metrics, dimensions, source, event_timestamp
FROM `_e`.profile_log_events
WHERE event_timestamp < toDateTime({start:Int64} + 20 * 86400)
