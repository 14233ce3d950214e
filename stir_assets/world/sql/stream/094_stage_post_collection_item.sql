-- Stage copy of some post collections' items.
INSERT INTO coffee_stage.post_collection_item
    (id, platform, short_code, post_type, post_collection_id, sponsor_links, posted_by_handle, posted_by_cp_id, post_link, post_thumbnail,
     cost, enabled, show_in_report, created_at, updated_at)
SELECT id, platform, short_code, post_type, post_collection_id, sponsor_links, posted_by_handle, posted_by_cp_id, post_link, post_thumbnail,
    cost, enabled, show_in_report, created_at, updated_at
FROM coffee_replica.post_collection_item
WHERE updated_at > toDateTime({t0:Int64}) AND updated_at <= toDateTime({t1:Int64}) AND cityHash64(post_collection_id) % 4 = 0
