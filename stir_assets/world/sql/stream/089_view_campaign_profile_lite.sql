-- hourly
-- Campaign profiles registered in the window.
INSERT INTO coffee_replica.view_campaign_profile_lite
    (id, platform, platform_account_id, gcc_user_account_id, created_at, updated_at)
WITH
    /* prelude */
SELECT
    base + toInt64(idx) AS id, platform, app_id AS platform_account_id,
    multiIf(unit(base, idx, 500) < 0.2, 0, unit(base, idx, 500) < 0.3, NULL, 900000 + app_id) AS gcc_user_account_id,
    toDateTime(t) AS created_at, toDateTime(t) AS updated_at
FROM
(
    SELECT 70000 AS base, idx, app_id, 'INSTAGRAM' AS platform FROM stir_world.ig_profile
    UNION ALL
    SELECT 80000000 AS base, idx, app_id, 'YOUTUBE' AS platform FROM stir_world.yt_channel
)
ARRAY JOIN [{dawn:Int64} + 86400 + toInt64(unit(base, idx, 501) * 39500000)] AS t
WHERE unit(base, idx, 502) < 0.35 AND t > {t0:Int64} AND t <= {t1:Int64}
