-- hourly
-- Own audience data of connected Instagram accounts refreshed in the window.
INSERT INTO beat_replica.instagram_profile_insights
    (id, profile_id, handle, audience_gender_age, audience_city, audience_country, audience_locale, created_at, updated_at)
WITH
    /* prelude */,
    ['13-17', '18-24', '25-34', '35-44', '45-54', '55-64', '65+'] AS ages,
    [0.05, 0.33, 0.32, 0.15, 0.08, 0.04, 0.03] AS weights,
    (idx, people, sex) -> concat('{', arrayStringConcat(arrayMap((age, weight, i) -> concat('"', age, '": ',
        toString(toInt64(people * weight * (0.5 + unit(idx, i + sex * 10, 320))))), ages, weights, range(7)), ', '), '}') AS split
SELECT
    30000 + toInt64(idx) AS id, profile_id, handle,
    concat('{"male": ', split(idx, followers * 0.45, 1), ', "female": ', split(idx, followers * 0.5, 2), ', "uncategorized": ', split(idx, followers * 0.05, 3), '}') AS audience_gender_age,
    if(unit(idx, 0, 321) < 0.05, NULL, concat('{', arrayStringConcat(arrayMap(i -> concat('"', words['city_labels'][1 + (i * 2 + idx) % length(words['city_labels'])], '": ',
        toString(toInt64(followers * (0.02 + 0.1 * unit(idx, i, 322))))), range(8)), ', '), '}')) AS audience_city,
    concat('{"IN": ', toString(toInt64(followers * 0.8)), ', "US": ', toString(toInt64(followers * 0.05)), ', "AE": ', toString(toInt64(followers * 0.03)), '}') AS audience_country,
    concat('{"en_US": ', toString(toInt64(followers * 0.5)), ', "hi_IN": ', toString(toInt64(followers * 0.3)), '}') AS audience_locale,
    toDateTime({start:Int64} + observe_phase) AS created_at,
    toDateTime(t) AS updated_at
FROM
(
    SELECT *, toInt64({start:Int64} + observe_phase + k * 604800 + unit(idx, k, 323) * 86400) AS t
    FROM stir_world.ig_profile
    ARRAY JOIN range(
        toUInt64(greatest(0, intDiv({t0:Int64} - {start:Int64} - observe_phase, 604800) - 1)),
        toUInt64(greatest(0, intDiv({t1:Int64} - {start:Int64} - observe_phase, 604800) + 1))
    ) AS k
    WHERE connected AND t > {t0:Int64} AND t <= {t1:Int64} AND (gone = 0 OR t < gone)
    ORDER BY t DESC
    LIMIT 1 BY idx
)
