-- Profiles put into profile collections in the window.
INSERT INTO coffee_replica.profile_collection_item
    (id, platform, platform_account_code, profile_collection_id, hidden, enabled, custom_columns, rank, created_by, created_at, updated_at,
     partner_id, profile_social_id, campaign_profile_id, shortlisting_status, shortlist_id)
WITH
    /* prelude */
SELECT
    5000 + toInt64(n) AS id,
    platform,
    if(platform = 'YOUTUBE', c.app_id, p.app_id) AS platform_account_code,
    1001 + toInt64(draw('member', n, 440) % toUInt64(greatest(1, floor((t - {dawn:Int64}) / {profile_collection_every:Float64})))) AS profile_collection_id,
    unit('member', n, 441) < 0.03 AS hidden,
    unit('member', n, 442) < 0.96 AS enabled,
    '' AS custom_columns,
    toInt32(n % 50) AS rank,
    concat('user-', toString(draw('member', n, 443) % 30)) AS created_by,
    toDateTime(t) AS created_at,
    toDateTime(t) AS updated_at,
    toInt64(1 + draw('member', n, 444) % 12) AS partner_id,
    if(platform = 'YOUTUBE', c.channel_id, p.profile_id) AS profile_social_id,
    if(unit('member', n, 445) < 0.4, if(platform = 'YOUTUBE', 80000000 + toInt64(channel_idx), 70000 + toInt64(profile_idx)), NULL) AS campaign_profile_id,
    if(unit('member', n, 446) < 0.3, 'SHORTLISTED', NULL) AS shortlisting_status,
    if(unit('member', n, 447) < 0.3, toInt64(1 + draw('member', n, 448) % 40), NULL) AS shortlist_id
FROM
(
    SELECT number AS n, {dawn:Int64} + 86400 * 20 + toInt64((n + cityHash64({seed:UInt64}, n, 449) / 18446744073709551616) * 35424000 / greatest(120, 1600 * {scale:Float64})) AS t,
        if(cityHash64({seed:UInt64}, n, 450) % 100 < 65, 'INSTAGRAM', 'YOUTUBE') AS platform,
        toUInt32(cityHash64({seed:UInt64}, n, 451) % {profiles:UInt32}) AS profile_idx,
        toUInt32(cityHash64({seed:UInt64}, n, 452) % {channels:UInt32}) AS channel_idx
    FROM numbers(toUInt64(2 + ({t1:Int64} - {dawn:Int64} - 86400 * 20) / (35424000 / greatest(120, 1600 * {scale:Float64}))))
) AS i
INNER JOIN stir_world.ig_profile AS p ON p.idx = i.profile_idx
INNER JOIN stir_world.yt_channel AS c ON c.idx = i.channel_idx
WHERE t > {t0:Int64} AND t <= {t1:Int64}
