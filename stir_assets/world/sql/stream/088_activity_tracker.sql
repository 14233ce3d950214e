-- hourly
-- What app users did in the window.
INSERT INTO coffee_replica.activity_tracker
    (id, partner_id, account_id, activity_type, activity_id, meta, enabled, created_at, updated_at)
WITH
    /* prelude */
SELECT
    toInt64(n) + 1 AS id,
    toInt64(1 + draw('activity', n, 490) % 12) AS partner_id,
    toInt64(1 + draw('activity', n, 491) % 60) AS account_id,
    pick(['SEARCH', 'EXPORT', 'UNLOCK_PROFILE', 'ADD_TO_COLLECTION'], 'activity', n, 492) AS activity_type,
    toString(1000 + draw('activity', n, 493) % {profiles:UInt32}) AS activity_id,
    concat('{"page": ', toString(1 + draw('activity', n, 494) % 9), '}') AS meta,
    1 AS enabled,
    toDateTime(t) AS created_at, toDateTime(t) AS updated_at
FROM
(
    SELECT number + toUInt64(greatest(0, floor(({t0:Int64} - {start:Int64}) / every) - 2)) AS n,
        24192000 / greatest(600, 6000 * {scale:Float64}) AS every,
        {start:Int64} + toInt64((n + cityHash64({seed:UInt64}, n, 495) / 18446744073709551616) * every) AS t
    FROM numbers(toUInt64(4 + ({t1:Int64} - {t0:Int64}) / (24192000 / greatest(600, 6000 * {scale:Float64}))))
)
WHERE t > {t0:Int64} AND t <= {t1:Int64}
