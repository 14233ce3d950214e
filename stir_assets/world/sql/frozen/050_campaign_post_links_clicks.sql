-- Clicks counted by hand for some campaign posts; some typed badly.
INSERT INTO s3.campaign_post_links_clicks (handle, short_code, post_link, Clicks, post_collection_id)
WITH
    /* prelude */
SELECT
    if(unit(id, 0, 730) < 0.05, NULL, handle), shortcode, concat('https://photo.example.com/p/', shortcode, '/'),
    if(unit(id, 0, 731) < 0.02, 'n/a', toString(toInt64(3 + 900 * pow(unit(id, 0, 732), 3)))),
    if(unit(id, 0, 733) < 0.03, NULL, substring(lower(hex(draw('post_collection', collection, 411))), 1, 12))
FROM stir_world.item
WHERE platform = 'INSTAGRAM' AND unit(id, 0, 734) < 0.15
