-- The queue's table: each request that changed in the window, in the state it has at the end of it.
INSERT INTO beat_replica.recent_scrape_request_log
    (id, platform, flow, status, params, data, source, priority, idempotency_key, created_at, scraped_at)
SELECT
    id, platform, flow,
    multiIf(finished <= {t1:Int64}, if(failed, 'FAILED', 'COMPLETE'), picked <= {t1:Int64}, 'PROCESSING', 'PENDING') AS status,
    params,
    if(finished <= {t1:Int64}, if(failed, error, NULL), NULL) AS data,
    if(finished <= {t1:Int64}, if(platform = 'YOUTUBE', 'ytapi', 'webapi'), NULL) AS source,
    toInt32(1 + cityHash64(flow) % 5) AS priority,
    lower(hex(cityHash64(flow, params, intDiv(created, 3600)))) AS idempotency_key,
    toDateTime(created) AS created_at,
    if(finished <= {t1:Int64}, toDateTime(finished), NULL) AS scraped_at
FROM stir_world.request
WHERE created > {t0:Int64} - 86400 AND created <= {t1:Int64}
    AND (created > {t0:Int64} OR (picked > {t0:Int64} AND picked <= {t1:Int64}) OR (finished > {t0:Int64} AND finished <= {t1:Int64}))
