-- Predicted gender, age and place of accounts.
INSERT INTO ds.instagram_prediction (profile_id, gender_male, gender_female, gender_from_img_model, age, top_cities, state, country)
WITH
    /* prelude */,
    0.5 + 0.5 * unit(profile_id, 0, 700) AS sure
SELECT
    toInt64(profile_id), if(gender = 'M', sure, 1 - sure), if(gender = 'F', sure, 1 - sure),
    if(unit(profile_id, 0, 701) < 0.4, gender, ''), round(13 + 50 * pow(unit(profile_id, 0, 702), 2), 1),
    if(unit(profile_id, 0, 703) < 0.9, words['cities'][place + 1], ''), words['states'][place + 1],
    transform(home, ['IN', 'US', 'GB', 'AE', 'SG', 'ID', 'BR'], ['India', 'United States', 'United Kingdom', 'United Arab Emirates', 'Singapore', 'Indonesia', 'Brazil'], '')
FROM stir_world.ig_profile
WHERE unit(profile_id, 0, 704) < 0.92
