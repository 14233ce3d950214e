-- Output of the zero-shot classifier.
INSERT INTO ds.categorization_zsl (profile_id, ig_category, cat_from_ig_cat, cat_from_bio)
WITH
    /* prelude */,
    (best, score, n) -> [(best, round(score, 4)), (pick(words['categories'], profile_id, n, 690), round((1 - score) / 2, 4))] AS labels
SELECT
    profile_id, if(unit(profile_id, 0, 691) < 0.6, category, NULL),
    if(unit(profile_id, 0, 691) < 0.6, labels(category, 0.7 + 0.3 * unit(profile_id, 0, 692), 1), []),
    labels(if(unit(profile_id, 0, 693) < 0.8, category, pick(words['categories'], profile_id, 0, 694)), 0.6 + 0.4 * unit(profile_id, 0, 695), 2)
FROM stir_world.ig_profile
WHERE unit(profile_id, 0, 696) < 0.75
