-- Scrape requests of the last weeks created in the window, each with its whole fate. One request slot of a
-- flow after the other; which profile or post a request is about is drawn among those that exist by then.
INSERT INTO stir_world.request
WITH
    /* prelude */,
    toInt64({start:Int64} + (n + unit(f.flow, n, 200)) * f.every) AS created,
    created + 2 + toInt64(draw(f.flow, n, 201) % if(unit(f.flow, n, 202) < 0.05, 14400, 400)) AS picked,
    picked + 3 + toInt64(draw(f.flow, n, 203) % if(unit(f.flow, n, 204) < 0.05, 3600, 60)) AS finished,
    startsWith(f.entity, 'scrape_') OR unit(f.flow, n, 205) < 0.06 AS failed
SELECT
    toInt64(1000000000000 + draw(f.flow, n, 206) % 900000000000) AS id,
    f.flow AS flow,
    f.platform AS platform,
    multiIf(
        f.entity IN ('handle', 'scrape_profile'), toJSONString(map('handle', p.handle)),
        f.entity = 'profile_id', toJSONString(map('profile_id', p.profile_id)),
        f.entity = 'gpt', concat('{"data": ', toJSONString(map('handle', p.handle, 'name', p.full_name, 'bio', ifNull(p.biography, ''), 'category', p.category)), '}'),
        f.entity = 'hashtag', concat('{"hashtag": "', pick(words['hashtags'], f.flow, n, 208), '", "max_posts": 2000}'),
        f.entity = 'store', concat('{"limit": 250, "store": "', pick(words['stores'], f.flow, n, 208), '", "updated_at_min": "', formatDateTime(toDateTime(created - 43200, 'UTC'), '%Y-%m-%dT%H:%i:%SZ'), '"}'),
        f.entity = 'search', toJSONString(map('category', pick(words['categories'], f.flow, n, 208), 'language', c.language)),
        f.entity = 'channel', toJSONString(map('channel_id', c.channel_id)),
        f.entity = 'playlist', concat('{"channel_id": "', c.channel_id, '", "max_posts": 50}'),
        f.entity = 'scrape_channel', concat('{"channel_ids": ["', c.channel_id, '"]}'),
        f.entity = 'story_posts', concat('{"profile_id": "', p.profile_id, '", "handle": "', p.handle, '", "profile_follower": ', toString(toInt64(p.followers)), '}'),
        f.entity IN ('post', 'story'), toJSONString(map('handle', o.handle, 'post_id', toString(o.id), 'story_id', toString(o.id), 'profile_id', o.profile_id, 'shortcode', o.shortcode, 'post_type', o.post_type)),
        f.entity = 'asset', concat('{"entity_type": "POST", "asset_type": "IMAGE", "platform": "INSTAGRAM", "entity_id": "', o.shortcode, '", "original_url": "https://media.example.com/', o.shortcode, '.jpg", "hash": ', toString(draw(o.id, 0, 209)), '}'),
        f.entity IN ('scrape_post'), toJSONString(map('shortcode', o.shortcode)),
        f.entity IN ('comments', 'video_comments'), concat('{"shortcode": "', o.shortcode, '", "max_comments": 1000}'),
        f.entity = 'scrape_video', concat('{"post_ids": ["', o.shortcode, '"]}'),
        toJSONString(map('post_id', o.shortcode))
    ) AS params,
    created,
    picked,
    finished,
    failed,
    if(failed, pick(words['errors'], f.flow, n, 207), '') AS error,
    if(failed, toInt32(draw(f.flow, n, 210) % 4), 0) AS retries
FROM
(
    SELECT *,
        n,
        {profiles:UInt32} AS profiles, {channels:UInt32} AS channels,
        toUInt32(cityHash64({seed:UInt64}, flow, n, 220) % {profiles:UInt32}) AS profile_idx,
        toUInt32(cityHash64({seed:UInt64}, flow, n, 221) % {channels:UInt32}) AS channel_idx,
        if(platform = 'YOUTUBE', 'YOUTUBE', 'INSTAGRAM') AS post_platform,
        -- a post published up to twelve days before the request: the last one before a drawn moment
        (toInt64({start:Int64} + (n + unit(flow, n, 200)) * every) - 3600 - toInt64(cityHash64({seed:UInt64}, flow, n, 222) % 1036800)) * 10000000 AS post_key
    FROM
    (
        SELECT *, 86400 / (share * {requests_per_day:Float64}) AS every FROM stir_world.flow
    )
    ARRAY JOIN range(
        toUInt64(greatest(0, floor(({t0:Int64} - {start:Int64}) / every) - 1)),
        toUInt64(greatest(0, floor(({t1:Int64} - {start:Int64}) / every) + 1))
    ) AS n
    WHERE {start:Int64} + n * every > {anchor:Int64} - 45 * 86400
) AS f
INNER JOIN stir_world.ig_profile AS p ON p.idx = f.profile_idx
INNER JOIN stir_world.yt_channel AS c ON c.idx = f.channel_idx
ASOF LEFT JOIN (SELECT *, at * 10000000 + id % 10000000 AS post_key FROM stir_world.post WHERE at > {t0:Int64} - 60 * 86400) AS o
    ON o.platform = f.post_platform AND o.post_key <= f.post_key
WHERE created > {t0:Int64} AND created <= {t1:Int64}
