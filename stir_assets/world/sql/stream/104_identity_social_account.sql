-- hourly
-- Creators who link their account in the app in the window.
INSERT INTO dbt.stg_identity_social_account (account_id, platform, handle, created_on)
WITH
    /* prelude */
SELECT
    if(unit(id, 0, 550) < 0.02, NULL, 900000 + app_id) AS account_id, platform, handle, toDateTime(t) AS created_on
FROM
(
    SELECT toInt64(idx) AS id, app_id, handle, 'INSTAGRAM' AS platform FROM stir_world.ig_profile
    UNION ALL
    SELECT 1000000 + toInt64(idx), app_id, custom_url, 'YOUTUBE' FROM stir_world.yt_channel
)
ARRAY JOIN [{dawn:Int64} + 86400 + toInt64(unit(id, 0, 551) * 39500000)] AS t
WHERE unit(id, 0, 552) < if(platform = 'INSTAGRAM', 0.3, 0.1) AND t > {t0:Int64} AND t <= {t1:Int64}
