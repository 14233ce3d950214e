-- hourly
-- Campaigns created, started or ended in the window. Every fourth post collection is a campaign's.
INSERT INTO coffee_replica.campaign
    (id, name, brand, brand_id, partner_id, campaign_type, objective, status, platform, description, hashtags, mentions, budget, currency,
     slots_count, post_collection_id, profile_collection_id, start_date, end_date, enabled, created_at, updated_at)
WITH
    /* prelude */,
    toInt64({dawn:Int64} + (m + 1) * {post_collection_every:Float64}) AS created,
    created + 5 * 86400 AS starts,
    starts + 86400 * (20 + toInt64(draw('campaign', m, 460) % 40)) AS ends,
    multiIf(ends <= {t1:Int64}, ends, starts <= {t1:Int64}, starts, created) AS changed,
    pick(words['brands'], 'post_collection', m, 412) AS brand
SELECT
    200 + toInt64(m) AS id,
    concat(brand, ' ', pick(['launch', 'festival', 'summer', 'trial'], 'campaign', m, 461), ' ', toString(m + 1)) AS name,
    brand, toInt64(cityHash64(brand) % 1000) AS brand_id,
    toInt64(1 + draw('post_collection', m, 413) % 12) AS partner_id,
    pick(['REWARD_LADDER', 'REPOST_CHALLENGE', 'COLLAB', 'REFERRAL'], 'campaign', m, 462) AS campaign_type,
    pick(['AWARENESS', 'ENGAGEMENT', 'CLICKS', 'ORDERS'], 'campaign', m, 463) AS objective,
    multiIf(ends <= {t1:Int64}, 'COMPLETED', unit('campaign', m, 464) < 0.05, 'CANCELLED', starts <= {t1:Int64}, 'ACTIVE', 'DRAFT') AS status,
    if(unit('campaign', m, 465) < 0.85, 'INSTAGRAM', 'YOUTUBE') AS platform,
    concat('Show how you use ', brand, '.') AS description,
    concat('["', lower(brand), '", "collab"]') AS hashtags,
    concat('["', lower(brand), '.official"]') AS mentions,
    round(20000 + 400000 * unit('campaign', m, 466)) AS budget,
    'INR' AS currency,
    toInt32(10 + draw('campaign', m, 467) % 60) AS slots_count,
    substring(lower(hex(draw('post_collection', m, 411))), 1, 12) AS post_collection_id,
    1001 + toInt64(floor(m * {post_collection_every:Float64} / {profile_collection_every:Float64})) AS profile_collection_id,
    toDate(starts) AS start_date, toDate(ends) AS end_date,
    1 AS enabled,
    toDateTime(created) AS created_at,
    toDateTime(changed) AS updated_at
FROM (SELECT toUInt32(number * 4) AS m FROM numbers(toUInt64(2 + ({t1:Int64} - {dawn:Int64}) / {post_collection_every:Float64} / 4)))
WHERE created <= {t1:Int64} AND changed > {t0:Int64}
