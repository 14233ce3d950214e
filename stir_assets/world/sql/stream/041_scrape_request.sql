-- Successful requests behind the scrapes of profiles and tracked posts that finish in the window or up to an
-- hour later: every complete request of these flows has a scrape of its entity at its end.
INSERT INTO stir_world.request
WITH
    /* prelude */,
    t - 5 - toInt64(draw(entity, k, 231) % 50) AS picked,
    picked - 2 - toInt64(draw(entity, k, 232) % 1200) AS created
SELECT
    toInt64(2000000000000 + draw(entity, k, 233) % 900000000000) AS id,
    flow,
    platform,
    params,
    created,
    picked,
    t AS finished,
    0 AS failed,
    '' AS error,
    if(unit(entity, k, 234) < 0.03, 1, 0) AS retries
FROM
(
    SELECT
        'refresh_profile_by_handle' AS flow, 'INSTAGRAM' AS platform, handle AS entity, k, toJSONString(map('handle', handle)) AS params,
        toInt64({start:Int64} + observe_phase + k * observe_every + unit(idx, k, 50) * 0.5 * observe_every) AS t
    FROM stir_world.ig_profile
    ARRAY JOIN range(
        toUInt64(greatest(0, intDiv({t0:Int64} - {start:Int64} - observe_phase, observe_every) - 1)),
        toUInt64(greatest(0, intDiv({t1:Int64} + 3600 - {start:Int64} - observe_phase, observe_every) + 1))
    ) AS k
    WHERE t > born AND (gone = 0 OR t < gone)
    UNION ALL
    SELECT
        'refresh_yt_profiles', 'YOUTUBE', channel_id, k, concat('{"channel_ids": ["', channel_id, '"]}'),
        toInt64({start:Int64} + observe_phase + k * observe_every + unit(channel_id, k, 50) * 0.5 * observe_every) AS t
    FROM stir_world.yt_channel
    ARRAY JOIN range(
        toUInt64(greatest(0, intDiv({t0:Int64} - {start:Int64} - observe_phase, observe_every) - 1)),
        toUInt64(greatest(0, intDiv({t1:Int64} + 3600 - {start:Int64} - observe_phase, observe_every) + 1))
    ) AS k
    WHERE t > born AND (gone = 0 OR t < gone)
    UNION ALL
    SELECT
        if(platform = 'YOUTUBE', 'refresh_yt_posts', 'refresh_post_by_shortcode'), platform, shortcode, j,
        if(platform = 'YOUTUBE', concat('{"post_ids": ["', shortcode, '"]}'), toJSONString(map('shortcode', shortcode))),
        seen_at(at, id, j) AS t
    FROM stir_world.post
    ARRAY JOIN range(seen_from(at, {t0:Int64}), least(observations, seen_to(at, {t1:Int64} + 3600))) AS j
    WHERE tracked AND post_type != 'story' AND at > {t0:Int64} - 50 * 86400 AND (gone = 0 OR t < gone)
)
WHERE created > {t0:Int64} AND created <= {t1:Int64} AND created > {anchor:Int64} - 45 * 86400
