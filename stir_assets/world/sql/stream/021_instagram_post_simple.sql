-- State of each Instagram post at its last scrape in the window.
INSERT INTO beat_replica.instagram_post_simple
    (id, profile_id, handle, post_id, post_type, caption, likes, views, plays, comments, reach, saved, shares, impressions, interactions,
     engagement, shortcode, display_url, thumbnail_url, updated_at, created_at, publish_time, content_type, taps_forward, taps_back, exits,
     replies, navigation, profile_activity, profile_visits, follows, video_views, automatic_forward, swipe_back, swipe_down, swipe_forward,
     swipe_up, profile_follower, profile_er, profile_static_er, profile_reels_er)
WITH
    /* prelude */,
    progress(t - at, tau) AS share,
    toInt64(peak_likes * share) AS likes_now,
    toInt64(peak_plays * share) AS plays_now,
    toInt64(peak_comments * share) AS comments_now,
    post_type = 'story' AS story,
    if(story, toInt64(followers * 0.08 * progress(t - at, 20000)), toInt64(if(plays_now > 0, plays_now * 0.8, likes_now * 5))) AS reach_now,
    (x) -> if(story AND insights, toInt64(x), NULL) AS story_counter,
    round(100 * peak_likes / greatest(followers, 1), 4) AS er_now
SELECT
    id, profile_id, handle, toString(id + 17000000000000) AS post_id, post_type, caption,
    if(story, NULL, likes_now) AS likes,
    if(post_type = 'reels', plays_now, NULL) AS views,
    if(post_type = 'reels', plays_now, NULL) AS plays,
    if(story, NULL, comments_now) AS comments,
    if(insights, reach_now, NULL) AS reach,
    if(insights AND NOT story, intDiv(likes_now, 12), NULL) AS saved,
    if(insights AND NOT story, intDiv(likes_now, 20), NULL) AS shares,
    if(insights, toInt64(reach_now * 1.12), NULL) AS impressions,
    if(insights, likes_now + comments_now, NULL) AS interactions,
    if(insights, likes_now + comments_now, NULL) AS engagement,
    shortcode,
    concat('https://media.example.com/', shortcode, '.jpg') AS display_url,
    concat('https://media.example.com/', shortcode, '_s.jpg') AS thumbnail_url,
    toDateTime(t) AS updated_at,
    toDateTime(seen_at(at, id, 0)) AS created_at,
    toDateTime(at) AS publish_time,
    multiIf(post_type = 'reels', 'VIDEO', post_type = 'carousel', 'CAROUSEL_ALBUM', 'IMAGE') AS content_type,
    story_counter(likes_now * 3), story_counter(likes_now / 4), story_counter(likes_now / 2), story_counter(likes_now / 25),
    story_counter(likes_now * 3.75), story_counter(likes_now / 8), story_counter(likes_now / 9), story_counter(likes_now / 60),
    if(insights AND post_type = 'reels', plays_now, NULL) AS video_views,
    story_counter(likes_now * 2), story_counter(likes_now / 10), story_counter(likes_now / 12), story_counter(likes_now / 5),
    story_counter(likes_now / 30),
    if(story, followers, NULL) AS profile_follower,
    if(story, er_now * 5, NULL) AS profile_er,
    if(story, er_now * 4, NULL) AS profile_static_er,
    if(story, er_now * 6, NULL) AS profile_reels_er
FROM
(
    SELECT *, seen_at(at, id, j) AS t
    FROM stir_world.post
    ARRAY JOIN range(seen_from(at, {t0:Int64}), least(observations, seen_to(at, {t1:Int64}))) AS j
    WHERE platform = 'INSTAGRAM' AND at > {t0:Int64} - 50 * 86400
        AND t > {t0:Int64} AND t <= {t1:Int64} AND (gone = 0 OR t < gone)
    ORDER BY t DESC
    LIMIT 1 BY id
)
