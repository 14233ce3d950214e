-- The vendor's list of creators (February 2023): channels, profiles, and pairs of both; some listed twice.
INSERT INTO vidooly.social_profiles_new_20230217
    (youtube_userid, instagram_userid, instagram_username, country, ccatid, youtube_category, language, contacts_email,
     contacts_phone, youtube_demographic_m_all, youtube_demographic_f_all, youtube_demographic_m_13_17,
     youtube_demographic_m_18_24, youtube_demographic_m_25_34, youtube_demographic_m_35_44, youtube_demographic_m_45_54,
     youtube_demographic_m_55_64, youtube_demographic_m_65, youtube_demographic_f_13_17, youtube_demographic_f_18_24,
     youtube_demographic_f_25_34, youtube_demographic_f_35_44, youtube_demographic_f_45_54, youtube_demographic_f_55_64,
     youtube_demographic_f_65)
WITH
    /* prelude */,
    (key, n, total) -> if(has_demography, round(total * (0.5 + unit(key, n, 600)), 2), NULL) AS part
SELECT
    ifNull(channel_id, ''), ifNull(profile_id, ''), ifNull(handle, ''),
    multiIf(unit(key, 0, 601) < 0.05, NULL, home) AS country,
    toString(indexOf(words['categories'], category)) AS ccatid,
    toString([1, 2, 10, 15, 17, 19, 20, 22, 23, 24, 25, 26, 27, 28, 29][1 + draw(key, 0, 602) % 15]) AS youtube_category,
    if(unit(key, 0, 603) < 0.5, concat(language, '-IN'), language) AS language,
    if(unit(key, 0, 604) < 0.6, concat('desk', toString(draw(key, 0, 605) % 100000), '@example.com'), '') AS contacts_email,
    if(unit(key, 0, 606) < 0.4, concat('50000', leftPad(toString(draw(key, 0, 607) % 100000), 5, '0')), '') AS contacts_phone,
    part(key, 1, 60), part(key, 2, 40),
    part(key, 3, 4), part(key, 4, 20), part(key, 5, 18), part(key, 6, 9), part(key, 7, 5), part(key, 8, 3), part(key, 9, 1),
    part(key, 10, 3), part(key, 11, 14), part(key, 12, 12), part(key, 13, 6), part(key, 14, 3), part(key, 15, 2), part(key, 16, 1)
FROM
(
    SELECT c.channel_id AS channel_id, if(c.linked_idx >= 0, p.profile_id, '') AS profile_id, if(c.linked_idx >= 0, p.handle, '') AS handle,
        c.home AS home, c.category AS category, c.language AS language, c.channel_id AS key, cityHash64(c.channel_id, 3) % 4 > 0 AS has_demography
    FROM stir_world.yt_channel AS c
    LEFT JOIN stir_world.ig_profile AS p ON toInt32(p.idx) = c.linked_idx
    WHERE c.linked_idx >= 0 OR cityHash64({seed:UInt64}, c.channel_id, 610) % 10 < 6
    UNION ALL
    SELECT '', profile_id, handle, home, category, language, profile_id, 0
    FROM stir_world.ig_profile
    WHERE cityHash64({seed:UInt64}, profile_id, 611) % 10 < 4
)
ARRAY JOIN if(unit(key, 0, 612) < 0.02, [0, 1], [0]) AS again
