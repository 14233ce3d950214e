-- Pictures of posts and profiles copied to the object store in the window.
INSERT INTO beat_replica.asset_log
    (id, entity_type, entity_id, asset_type, platform, asset_url, original_url, created_at, updated_at)
WITH
    /* prelude */
SELECT
    toInt64(cityHash64(entity_id, t) % 9000000000000000) AS id,
    entity_type, entity_id, 'IMAGE' AS asset_type, platform,
    concat('assets/', lower(entity_type), 's/', platform, '/', entity_id, '.jpg') AS asset_url,
    concat('https://media.example.com/', entity_id, '.jpg') AS original_url,
    toDateTime(t) AS created_at,
    toDateTime(t) AS updated_at
FROM
(
    SELECT 'POST' AS entity_type, platform, shortcode AS entity_id, seen_at(at, id, 0) + 1800 AS t
    FROM stir_world.post
    WHERE at > {t0:Int64} - 86400 AND unit(id, 0, 310) < 0.4
    UNION ALL
    SELECT
        'PROFILE', 'INSTAGRAM', profile_id,
        toInt64({start:Int64} + observe_phase + k * 5184000 + unit(idx, k, 311) * 2592000) AS t
    FROM stir_world.ig_profile
    ARRAY JOIN range(
        toUInt64(greatest(0, intDiv({t0:Int64} - {start:Int64} - observe_phase, 5184000) - 1)),
        toUInt64(greatest(0, intDiv({t1:Int64} - {start:Int64} - observe_phase, 5184000) + 1))
    ) AS k
    WHERE (gone = 0 OR t < gone) AND t > born
)
WHERE t > {t0:Int64} AND t <= {t1:Int64}
