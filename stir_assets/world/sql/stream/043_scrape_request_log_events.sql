-- Changes of state of requests within the window.
INSERT INTO `_e`.scrape_request_log_events
    (event_id, event_timestamp, scl_id, flow, platform, status, params, retry_count, picked_at, insert_timestamp)
SELECT
    lower(hex(cityHash64(id, change.1))) AS event_id,
    toDateTime(change.2) AS event_timestamp,
    toString(id) AS scl_id,
    flow, platform,
    change.1 AS status,
    params,
    if(change.1 = 'PENDING', 0, retries) AS retry_count,
    toDateTime(if(change.1 = 'PENDING', 0, picked)) AS picked_at,
    toDateTime(change.2) AS insert_timestamp
FROM stir_world.request
ARRAY JOIN [('PENDING', created), ('PROCESSING', picked), (if(failed, 'FAILED', 'COMPLETE'), finished)] AS change
WHERE created > {t0:Int64} - 86400 AND change.2 > {t0:Int64} AND change.2 <= {t1:Int64}
