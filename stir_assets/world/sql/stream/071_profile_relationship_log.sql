-- The same relations in the scraper's own log.
INSERT INTO beat_replica.profile_relationship_log
    (id, platform, relationship_type, source_profile_id, target_profile_id, source_dimensions, target_dimensions, source_metrics, target_metrics, timestamp)
SELECT
    toInt64(cityHash64(event_id) % 9000000000000000) AS id, platform, 'FOLLOWER' AS relationship_type, source_profile_id, target_profile_id,
    source_dimensions,
    concat('{"profile_pic_url": "https://media.example.com/p/', target_profile_id, '.jpg"}') AS target_dimensions,
    '{}' AS source_metrics, '{}' AS target_metrics,
    event_timestamp AS timestamp
FROM `_e`.profile_relationship_log_events
WHERE insert_timestamp > toDateTime({t0:Int64}) AND insert_timestamp <= toDateTime({t1:Int64})
    AND event_timestamp > toDateTime({t0:Int64} - 86400)
