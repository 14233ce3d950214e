-- hourly
-- Clicks a day on tracked links; the row of a running day is rewritten on the full hour.
INSERT INTO dbt.mart_link_clicks (url, d, unique_clicks)
WITH
    /* prelude */,
    intDiv({t0:Int64}, 3600) * 3600 AS from_hour,
    intDiv({t1:Int64}, 3600) * 3600 AS to_hour,
    toInt64(400 * pow(unit(link, 0, 520), 4) + 3) AS size,
    least(to_hour, day + 86400) - greatest(added, day) AS open
SELECT
    link AS url,
    toDateTime(day) AS d,
    toInt64(size * (0.3 + unit(link, day, 521)) * exp(-(day - added) / 864000) * open / 86400) AS unique_clicks
FROM
(
    SELECT link, min(created) AS added FROM stir_world.item
    WHERE link != '' AND created > {t0:Int64} - 36 * 86400
    GROUP BY link
)
ARRAY JOIN arrayMap(i -> (intDiv(greatest(from_hour, added), 86400) + i) * 86400,
    range(toUInt64(greatest(0, 1 + intDiv(to_hour, 86400) - intDiv(greatest(from_hour, added), 86400))))) AS day
WHERE from_hour < to_hour AND added < to_hour AND day < added + 30 * 86400 AND open > 0 AND unique_clicks > 0
