-- hourly
-- Groups of collections made in the window.
INSERT INTO coffee_replica.collection_group
    (id, name, objective, partner_id, share_id, collection_ids, collection_type, source, enabled, created_at, updated_at)
WITH
    /* prelude */,
    toInt64({dawn:Int64} + (m + 6) * {post_collection_every:Float64}) AS created
SELECT
    toInt64(600 + m) AS id,
    concat('Group ', toString(m + 1)) AS name,
    pick(['quarterly report', 'brand review', 'launch'], 'group', m, 480) AS objective,
    toInt64(1 + draw('group', m, 481) % 12) AS partner_id,
    lower(hex(draw('group', m, 482))) AS share_id,
    if(m % 12 < 6,
        concat('["', arrayStringConcat(arrayMap(i -> substring(lower(hex(draw('post_collection', m + i, 411))), 1, 12), range(3)), '", "'), '"]'),
        concat('[', arrayStringConcat(arrayMap(i -> toString(1001 + toInt64(floor((m + i) * {post_collection_every:Float64} / {profile_collection_every:Float64}))), range(2)), ', '), ']')) AS collection_ids,
    if(m % 12 < 6, 'POST', 'PROFILE') AS collection_type,
    'SAAS' AS source, 1 AS enabled,
    toDateTime(created) AS created_at, toDateTime(created) AS updated_at
FROM (SELECT toUInt32(number * 6) AS m FROM numbers(toUInt64(2 + ({t1:Int64} - {dawn:Int64}) / {post_collection_every:Float64} / 6)))
WHERE created > {t0:Int64} AND created <= {t1:Int64}
