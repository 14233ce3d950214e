-- hourly
-- Keyword reports asked for or finished in the window.
INSERT INTO coffee_replica.keyword_collection
    (id, platform, keywords, start_time, end_time, report_path, enabled, created_at)
WITH
    /* prelude */,
    toInt64({dawn:Int64} + (m + unit('keyword', m, 470)) * 37152000 / greatest(12, 40 * {scale:Float64})) AS created,
    created + 18000 AS finished
SELECT
    toString(300 + m) AS id,
    if(unit('keyword', m, 471) < 0.8, 'INSTAGRAM', 'YOUTUBE') AS platform,
    concat('["', pick(words['hashtags'], 'keyword', m, 472), '", "', pick(words['nouns'], 'keyword', m, 473), '"]') AS keywords,
    toDateTime(created - 30 * 86400) AS start_time,
    toDateTime(created) AS end_time,
    if(finished <= {t1:Int64} AND unit('keyword', m, 474) < 0.9, concat('reports/keyword/', toString(300 + m), '.csv'), NULL) AS report_path,
    unit('keyword', m, 475) < 0.95 AS enabled,
    toDateTime(created) AS created_at
FROM (SELECT toUInt32(number) AS m FROM numbers(toUInt64(2 + ({t1:Int64} - {dawn:Int64}) / (37152000 / greatest(12, 40 * {scale:Float64})))))
WHERE created <= {t1:Int64} AND (created > {t0:Int64} OR (finished > {t0:Int64} AND finished <= {t1:Int64}))
