-- Posts that customers put into post collections in the window; some have a tracked link.
INSERT INTO stir_world.item
WITH
    /* prelude */,
    p.at + 3600 + toInt64(draw(p.id, again, 400) % 172800) AS added
SELECT
    p.id * 2 + again AS id,
    p.id AS post_id,
    p.owner AS owner,
    p.platform AS platform,
    p.shortcode AS shortcode,
    if(p.platform = 'YOUTUBE', c.custom_url, p.handle) AS handle,
    p.post_type AS post_type,
    toUInt32(draw(p.id, again, 401) % toUInt64(greatest(1, floor((added - {dawn:Int64}) / {post_collection_every:Float64})))) AS collection,
    added AS created,
    if(p.platform = 'INSTAGRAM' AND unit(p.id, 0, 402) < 0.4, concat('go.example.com/', substring(lower(hex(draw(p.id, 0, 403))), 1, 8)), '') AS link
FROM stir_world.post AS p
LEFT JOIN stir_world.yt_channel AS c ON p.platform = 'YOUTUBE' AND c.idx = p.owner
ARRAY JOIN if(unit(p.id, 0, 404) < 0.1, [0, 1], [0]) AS again
WHERE p.tracked AND p.at > {t0:Int64} - 3 * 86400 AND added > {t0:Int64} AND added <= {t1:Int64}
