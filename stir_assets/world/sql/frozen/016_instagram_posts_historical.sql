-- Archive of posts from before the own scraper (2021 and 2022, Indian time), and a few posts that both know.
INSERT INTO vidooly.instagram_posts_historical_cleaned_v2
    (profile_id, handle, shortcode, post_type, likes, comments, views, plays, publish_time)
WITH
    /* prelude */,
    toInt64(toUnixTimestamp(toDateTime('2021-01-01 00:00:00', 'UTC'))) + toInt64(unit(profile_id, k, 641) * 63072000) AS t,
    toInt64(followers * 0.3 * er * (0.4 + unit(profile_id, k, 642))) AS likes,
    unit(profile_id, k, 643) < 0.4 AS reel
SELECT
    profile_id, handle, substring(translate(base64Encode(reinterpretAsString(draw(profile_id, k, 644))), '+/', '-_'), 1, 11),
    if(reel, 'reels', if(unit(profile_id, k, 645) < 0.6, 'image', 'carousel')),
    likes, intDiv(likes, 60), if(reel, likes * 12, 0), if(reel, likes * 12, 0), toDateTime(t + 19800)
FROM stir_world.ig_profile
ARRAY JOIN range(3 + draw(profile_id, 0, 646) % 12) AS k
WHERE cityHash64({seed:UInt64}, profile_id, 640) % 10 < 4
UNION ALL
SELECT profile_id, handle, shortcode, post_type, toInt64(peak_likes * 0.2), toInt64(peak_comments * 0.2), 0, 0, toDateTime(at + 19800)
FROM stir_world.post
WHERE platform = 'INSTAGRAM' AND post_type != 'story' AND cityHash64({seed:UInt64}, id, 647) % 200 = 0
