-- App profiles of creators.
INSERT INTO dbt.stg_identity_host_profile (user_client_account_id, user_categories, webengage_user_id)
WITH
    /* prelude */
SELECT 900000 + app_id,
    if(unit(idx, 0, 670) < 0.1, NULL, concat('[{"name": "', category, '"}, {"name": "', pick(words['categories'], idx, 0, 671), '"}]')),
    if(unit(idx, 0, 672) < 0.8, concat('we-', toString(app_id)), NULL)
FROM stir_world.ig_profile
WHERE unit(toInt64(idx), 0, 552) < 0.35
