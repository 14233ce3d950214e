-- State of each Instagram profile at its last scrape in the window.
INSERT INTO beat_replica.instagram_account
    (id, profile_id, handle, full_name, biography, fbid, followers, following, media_count, profile_type, account_type,
     is_business_or_creator, is_private, is_verified, profile_pic_url, country, language, created_at, updated_at)
WITH
    /* prelude */
SELECT
    10000 + toInt64(idx) AS id, profile_id, handle, full_name, biography,
    if(kind = 'personal', NULL, concat('17841', profile_id)) AS fbid,
    level(followers, growth, viral_at, viral_gain, t) AS followers_now,
    following + toInt64(draw(idx, k, 57) % 5) AS following_now,
    12 + intDiv(t - born, post_every) AS media_count,
    kind AS profile_type, label AS account_type,
    toUInt8(kind != 'personal') AS is_business_or_creator,
    is_private,
    toUInt8(followers > 500000) AS is_verified,
    concat('https://media.example.com/p/', profile_id, '.jpg') AS profile_pic_url,
    country,
    if(unit(idx, 0, 70) < 0.5, transform(language, ['kn'], ['ka'], language), NULL) AS language_tag,
    toDateTime(born) AS created_at,
    toDateTime(t) AS updated_at
FROM
(
    SELECT *, k, toInt64({start:Int64} + observe_phase + k * observe_every + unit(idx, k, 50) * 0.5 * observe_every) AS t
    FROM stir_world.ig_profile
    ARRAY JOIN range(
        toUInt64(greatest(0, intDiv({t0:Int64} - {start:Int64} - observe_phase, observe_every) - 1)),
        toUInt64(greatest(0, intDiv({t1:Int64} - {start:Int64} - observe_phase, observe_every) + 1))
    ) AS k
    WHERE t > {t0:Int64} AND t <= {t1:Int64} AND t > born AND (gone = 0 OR t < gone)
    ORDER BY t DESC
    LIMIT 1 BY idx
)
