-- State of each video at its last scrape in the window.
INSERT INTO beat_replica.youtube_post_simple
    (id, channel_id, profile_id, shortcode, title, description, thumbnail, post_type, views, likes, comments, audio_language,
     published_at, created_at, updated_at)
WITH
    /* prelude */,
    progress(t - at, tau) AS share
SELECT
    id, profile_id AS channel_id, profile_id, shortcode, title, caption AS description,
    concat('https://i.example.com/vi/', shortcode, '/default.jpg') AS thumbnail,
    if(post_type = '', NULL, post_type) AS post_type,
    toInt64(peak_plays * share) AS views,
    if(unit(id, 0, 45) < 0.03, NULL, toInt64(peak_likes * share)) AS likes,
    if(unit(id, 0, 46) < 0.05, NULL, toInt64(peak_comments * share)) AS comments,
    multiIf(unit(id, 0, 47) < 0.1, NULL, unit(id, 0, 47) < 0.15, 'zxx', language IN ('en', 'hi') AND unit(id, 0, 47) < 0.6, concat(language, '-IN'), language) AS audio_language,
    toDateTime(at) AS published_at,
    toDateTime(seen_at(at, id, 0)) AS created_at,
    toDateTime(t) AS updated_at
FROM
(
    SELECT *, seen_at(at, id, j) AS t
    FROM stir_world.post
    ARRAY JOIN range(seen_from(at, {t0:Int64}), least(observations, seen_to(at, {t1:Int64}))) AS j
    WHERE platform = 'YOUTUBE' AND at > {t0:Int64} - 50 * 86400
        AND t > {t0:Int64} AND t <= {t1:Int64} AND (gone = 0 OR t < gone)
    ORDER BY t DESC
    LIMIT 1 BY id
)
