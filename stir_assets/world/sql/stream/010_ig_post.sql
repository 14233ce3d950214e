-- Posts and stories published in the window, with the size they will reach.
INSERT INTO stir_world.post
WITH
    /* prelude */,
    (SELECT groupArray(handle) FROM (SELECT handle FROM stir_world.ig_profile ORDER BY idx)) AS handles,
    toInt64({start:Int64} + p.post_phase + k * p.post_every + unit(p.idx, k, 1) * 0.9 * p.post_every) AS at,
    unit(p.idx, k, 2) AS kind,
    multiIf(kind < 0.45, 'reels', kind < 0.68, 'image', kind < 0.87, 'carousel', 'story') AS post_type,
    level(p.followers, p.growth, p.viral_at, p.viral_gain, at) AS size,
    exp(1.3 * (unit(p.idx, k, 3) + unit(p.idx, k, 4) + unit(p.idx, k, 5) - 1.5)) * if(unit(p.idx, k, 6) < 0.015, 8, 1) AS strength,
    size * p.er * strength * if(post_type = 'story', 0.2, 1) AS likes,
    if(unit(p.idx, k, 7) < 0.8, p.language, 'en') AS language
SELECT
    'INSTAGRAM' AS platform,
    p.idx AS owner,
    k,
    toInt64(p.idx) * 100000 + k + 1 AS id,
    if(post_type = 'story', toString(3000000000000000000 + draw(p.idx, k, 8) % 900000000000000000),
        substring(translate(base64Encode(reinterpretAsString(draw(p.idx, k, 8))), '+/', '-_'), 1, 11)) AS shortcode,
    p.profile_id AS profile_id,
    p.handle AS handle,
    post_type,
    at,
    likes AS peak_likes,
    if(post_type = 'reels', likes * (8 + 25 * unit(p.idx, k, 9)), 0) AS peak_plays,
    likes * 0.015 * (0.4 + unit(p.idx, k, 10)) AS peak_comments,
    43200 * (1 + 4 * unit(p.idx, k, 11)) AS tau,
    language,
    '' AS title,
    if(unit(p.idx, k, 12) < 0.04, '', concat(
        arrayStringConcat(arrayMap(i -> pick(words[concat('words_', language)], p.idx, k, 100 + i), range(5 + draw(p.idx, k, 13) % 5)), ' '),
        ' ',
        arrayStringConcat(arrayMap(i -> concat('#', pick(words['hashtags'], p.idx + i, k, 120)), range(draw(p.idx, k, 14) % 5)), ' ')
    )) AS caption,
    if(unit(p.idx, k, 15) < 0.4, if(unit(p.idx, k, 16) < 0.8, p.place, toInt32(draw(p.idx, k, 17) % length(words['cities']))), -1) AS place,
    if(unit(p.idx, k, 18) < 0.2, arrayMap(i -> pick(handles, p.idx, k, 130 + i), range(1 + draw(p.idx, k, 19) % 3)), []) AS tagged,
    unit(p.idx, k, 20) < 0.1 AS tracked,
    p.connected AND post_type != 'image' AS insights,
    if(unit(p.idx, k, 21) < 0.01, at + toInt64(draw(p.idx, k, 22) % 2592000), 0) AS gone,
    size AS followers,
    multiIf(post_type = 'story', 5, tracked, 36, 15) AS observations
FROM stir_world.ig_profile AS p
ARRAY JOIN range(
    toUInt64(greatest(0, intDiv({t0:Int64} - {start:Int64} - p.post_phase, p.post_every) - 1)),
    toUInt64(greatest(0, intDiv({t1:Int64} - {start:Int64} - p.post_phase, p.post_every) + 1))
) AS k
WHERE at > {t0:Int64} AND at <= {t1:Int64} AND at > p.born AND (p.gone = 0 OR at < p.gone) AND NOT p.is_private
