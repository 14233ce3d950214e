-- Post collections created in the window.
INSERT INTO coffee_replica.post_collection (id, name, partner_id, source, share_id, enabled, created_at, updated_at)
WITH
    /* prelude */,
    toInt64({dawn:Int64} + (m + unit('post_collection', m, 410)) * {post_collection_every:Float64}) AS created
SELECT
    substring(lower(hex(draw('post_collection', m, 411))), 1, 12) AS id,
    concat(pick(words['brands'], 'post_collection', m, 412), ' posts ', toString(m + 1)) AS name,
    toInt64(1 + draw('post_collection', m, 413) % 12) AS partner_id,
    if(unit('post_collection', m, 414) < 0.5, 'GCC_CAMPAIGN', 'SAAS') AS source,
    lower(hex(draw('post_collection', m, 415))) AS share_id,
    unit('post_collection', m, 416) < 0.97 AS enabled,
    toDateTime(created) AS created_at,
    toDateTime(created) AS updated_at
FROM (SELECT toUInt32(number) AS m FROM numbers(toUInt64(2 + ({t1:Int64} - {dawn:Int64}) / {post_collection_every:Float64})))
WHERE created > {t0:Int64} AND created <= {t1:Int64}
