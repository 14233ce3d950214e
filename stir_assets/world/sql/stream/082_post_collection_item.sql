-- Items added or edited in the window.
INSERT INTO coffee_replica.post_collection_item
    (id, platform, short_code, post_type, post_collection_id, sponsor_links, posted_by_handle, posted_by_cp_id, post_link, post_thumbnail,
     cost, enabled, show_in_report, created_at, updated_at)
WITH
    /* prelude */,
    if(unit(id, 0, 420) < 0.3, created + 86400 + toInt64(draw(id, 0, 421) % 1728000), created) AS edited,
    edited > created AND edited <= {t1:Int64} AS changed
SELECT
    id, platform, shortcode AS short_code, post_type,
    substring(lower(hex(draw('post_collection', collection, 411))), 1, 12) AS post_collection_id,
    if(link = '', NULL, concat('["https://', link, '"]')) AS sponsor_links,
    if(unit(id, 0, 422) < 0.03, '', handle) AS posted_by_handle,
    if(platform = 'YOUTUBE', 80000000, 70000) + toInt64(owner) AS posted_by_cp_id,
    if(platform = 'YOUTUBE', concat('https://video.example.com/watch?v=', shortcode), concat('https://photo.example.com/p/', shortcode, '/')) AS post_link,
    concat('https://media.example.com/', shortcode, '_s.jpg') AS post_thumbnail,
    if(unit(id, 0, 423) < 0.8, round(500 + 40000 * pow(unit(id, 0, 424), 3) * if(changed, 1.1, 1)), NULL) AS cost,
    NOT (unit(id, 0, 425) < 0.05 AND (changed OR edited = created)) AS enabled,
    unit(id, 0, 426) < 0.88 AS show_in_report,
    toDateTime(created) AS created_at,
    toDateTime(if(changed, edited, created)) AS updated_at
FROM stir_world.item
WHERE created > {t0:Int64} - 22 * 86400 AND created <= {t1:Int64}
    AND (created > {t0:Int64} OR (edited > {t0:Int64} AND edited <= {t1:Int64}))
