-- The app's view of Instagram accounts scraped in the window, stage copy: four in ten.
INSERT INTO coffee_stage.view_instagram_account_lite (id, ig_id, handle, name, followers, thumbnail, created_at, updated_at)
SELECT
    p.app_id AS id, a.profile_id AS ig_id, a.handle, a.full_name AS name, a.followers,
    concat('https://cdn.stir.example/assets/profiles/INSTAGRAM/', a.profile_id, '.jpg') AS thumbnail,
    a.created_at, a.updated_at
FROM beat_replica.instagram_account AS a
INNER JOIN stir_world.ig_profile AS p ON p.profile_id = a.profile_id
WHERE a.updated_at > toDateTime({t0:Int64}) AND a.updated_at <= toDateTime({t1:Int64}) AND cityHash64(a.profile_id, 1) % 10 < 4
