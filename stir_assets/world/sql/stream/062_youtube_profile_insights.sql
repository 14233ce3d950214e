-- hourly
-- Own audience data of connected channels refreshed in the window.
INSERT INTO beat_replica.youtube_profile_insights (id, channel_id, gender_age, city, created_at, updated_at)
WITH
    /* prelude */,
    ['age13-17', 'age18-24', 'age25-34', 'age35-44', 'age45-54', 'age55-64', 'age65-'] AS ages,
    [4.0, 30.0, 33.0, 16.0, 9.0, 5.0, 3.0] AS weights,
    (id, sex) -> concat('{', arrayStringConcat(arrayMap((age, weight, i) -> concat('"', age, '": ',
        toString(round(weight / 2 * (0.5 + unit(id, i + sex * 10, 320)), 2))), ages, weights, range(7)), ', '), '}') AS split
SELECT
    40000 + toInt64(idx) AS id, channel_id,
    concat('{"male": ', split(channel_id, 1), ', "female": ', split(channel_id, 2), ', "uncategorized": {}}') AS gender_age,
    concat('{', arrayStringConcat(arrayMap(i -> concat('"', words['cities'][1 + (i * 2 + idx) % length(words['cities'])], '": ',
        toString(draw(channel_id, i, 322) % 9000)), range(8)), ', '), '}') AS city,
    toDateTime({start:Int64} + observe_phase) AS created_at,
    toDateTime(t) AS updated_at
FROM
(
    SELECT *, toInt64({start:Int64} + observe_phase + k * 604800 + unit(channel_id, k, 323) * 86400) AS t
    FROM stir_world.yt_channel
    ARRAY JOIN range(
        toUInt64(greatest(0, intDiv({t0:Int64} - {start:Int64} - observe_phase, 604800) - 1)),
        toUInt64(greatest(0, intDiv({t1:Int64} - {start:Int64} - observe_phase, 604800) + 1))
    ) AS k
    WHERE connected AND t > {t0:Int64} AND t <= {t1:Int64} AND (gone = 0 OR t < gone)
    ORDER BY t DESC
    LIMIT 1 BY idx
)
