-- Profile collections created in the window; SAAS-AT ones track every post of their profiles.
INSERT INTO coffee_replica.profile_collection (id, share_id, name, partner_id, created_at, source)
WITH
    /* prelude */,
    toInt64({dawn:Int64} + (m + unit('profile_collection', m, 430)) * {profile_collection_every:Float64}) AS created
SELECT
    1001 + toInt64(m) AS id,
    lower(hex(draw('profile_collection', m, 431))) AS share_id,
    concat(pick(words['brands'], 'profile_collection', m, 432), ' creators ', toString(m + 1)) AS name,
    toInt64(1 + draw('profile_collection', m, 433) % 12) AS partner_id,
    toDateTime(created) AS created_at,
    if(m % 5 IN (0, 2), 'SAAS-AT', 'SAAS') AS source
FROM (SELECT toUInt32(number) AS m FROM numbers(toUInt64(2 + ({t1:Int64} - {dawn:Int64}) / {profile_collection_every:Float64})))
WHERE created > {t0:Int64} AND created <= {t1:Int64}
