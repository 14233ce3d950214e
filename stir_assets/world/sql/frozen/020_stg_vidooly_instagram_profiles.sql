-- Older list of profiles with contacts and the followers of December 2022.
INSERT INTO dbt.stg_vidooly_instagram_profiles
    (profile_id, profile_name, followers, saved_thumbnail, country, city, gender, email, contact_phone_number,
     public_phone_number)
WITH
    /* prelude */,
    (x, n) -> if(unit(profile_id, n, 650) < 0.15, if(unit(profile_id, n, 651) < 0.5, 'NULL', ''), x) AS sometimes
SELECT
    toInt64(profile_id), handle,
    toString(level(followers, growth, viral_at, viral_gain, toInt64(toUnixTimestamp(toDateTime('2022-12-01 00:00:00', 'UTC'))))),
    if(unit(profile_id, 0, 652) < 0.5, concat('assets/vendor/', profile_id, '.jpg'), NULL),
    sometimes(home, 1), sometimes(concat(words['cities'][place + 1], ', ', words['states'][place + 1]), 2), sometimes(gender, 3),
    sometimes(email, 4), sometimes(phone, 5), sometimes(phone, 6)
FROM stir_world.ig_profile
WHERE cityHash64({seed:UInt64}, profile_id, 653) % 10 < 4
