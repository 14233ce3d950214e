-- Videos published in the window, with the size they will reach.
INSERT INTO stir_world.post
WITH
    /* prelude */,
    toInt64({start:Int64} + c.post_phase + k * c.post_every + unit(c.channel_id, k, 1) * 0.9 * c.post_every) AS at,
    unit(c.channel_id, k, 2) AS kind,
    level(c.followers, c.growth, c.viral_at, c.viral_gain, at) AS size,
    exp(1.3 * (unit(c.channel_id, k, 3) + unit(c.channel_id, k, 4) + unit(c.channel_id, k, 5) - 1.5))
        * if(unit(c.channel_id, k, 6) < 0.02, 10, 1) AS strength,
    size * c.views_per_video * strength AS plays,
    if(unit(c.channel_id, k, 7) < 0.85, c.language, 'en') AS language,
    arrayStringConcat(arrayMap(i -> pick(words[concat('words_', language)], c.channel_id, k, 100 + i), range(3 + draw(c.channel_id, k, 13) % 4)), ' ') AS title
SELECT
    'YOUTUBE' AS platform,
    c.idx AS owner,
    k,
    50000000000 + toInt64(c.idx) * 100000 + k + 1 AS id,
    substring(translate(base64Encode(reinterpretAsString(draw(c.channel_id, k, 8))), '+/', '-_'), 1, 11) AS shortcode,
    c.channel_id AS profile_id,
    c.channel_id AS handle,
    multiIf(kind < 0.55, 'video', kind < 0.95, 'short', '') AS post_type,
    at,
    plays * (0.015 + 0.05 * unit(c.channel_id, k, 9)) AS peak_likes,
    plays AS peak_plays,
    plays * 0.002 * (0.4 + unit(c.channel_id, k, 10)) AS peak_comments,
    86400 * (1 + 6 * unit(c.channel_id, k, 11)) AS tau,
    language,
    title,
    concat(title, '. ', pick(words['words_en'], c.channel_id, k, 98), ' ', pick(words['words_en'], c.channel_id, k, 99), ' ',
        arrayStringConcat(arrayMap(i -> concat('#', pick(words['hashtags'], c.idx + i, k, 120)), range(draw(c.channel_id, k, 14) % 4)), ' ')) AS caption,
    -1 AS place,
    [] AS tagged,
    unit(c.channel_id, k, 20) < 0.1 AS tracked,
    0 AS insights,
    if(unit(c.channel_id, k, 21) < 0.01, at + toInt64(draw(c.channel_id, k, 22) % 2592000), 0) AS gone,
    size AS followers,
    if(tracked, 36, 15) AS observations
FROM stir_world.yt_channel AS c
ARRAY JOIN range(
    toUInt64(greatest(0, intDiv({t0:Int64} - {start:Int64} - c.post_phase, c.post_every) - 1)),
    toUInt64(greatest(0, intDiv({t1:Int64} - {start:Int64} - c.post_phase, c.post_every) + 1))
) AS k
WHERE at > {t0:Int64} AND at <= {t1:Int64} AND at > c.born AND (c.gone = 0 OR at < c.gone)
