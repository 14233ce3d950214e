-- Tests of downloaded followers of the deeply scraped creators; some followers appear twice.
INSERT INTO dbt.creator_followers_fake_analysis
    (handle, follower_handle, follower_full_name, symbolic_name, fake_real_based_on_lang, transliterated_follower_name,
     decoded_name, cleaned_handle, cleaned_name, heuristic_logic, number_handle, number_more_than_4_handle,
     similarity_score, fake_real_based_on_fuzzy_score_90, process1_, final_, numeric_handle, indian_name_score, score_80)
WITH
    /* prelude */,
    draw(handle, n, 680) % 400000 AS follower,
    unit(handle, follower, 681) AS fakeness,
    concat(pick(words['first_names'], 'f', follower % 300, 682), ' ', pick(words['last_names'], 'f', follower % 120, 683)) AS full_name,
    concat(lower(replaceAll(full_name, ' ', '_')), if(fakeness > 0.7, toString(follower), toString(follower % 100))) AS follower_handle,
    fakeness > 0.7 AS fake
SELECT
    handle, follower_handle, full_name, full_name, if(unit(handle, n, 684) < 0.1, 1, 0), full_name, full_name,
    replaceRegexpAll(follower_handle, '[^a-z]', ''), replaceRegexpAll(lower(full_name), '[^a-z]', ''),
    multiIf(fakeness < 0.5, 0, fake, 1, 2), toFloat64(length(extractAll(follower_handle, '[0-9]'))), toFloat64(length(extractAll(follower_handle, '[0-9]')) > 4),
    round(100 * (1 - fakeness * 0.6), 1), toFloat64(1 - fakeness * 0.6 < 0.9), toFloat64(fake),
    multiIf(fake, 1, fakeness > 0.5, 0.33, 0), toFloat64(fakeness > 0.9), round(100 * unit(handle, follower, 685), 1), toFloat64(unit(handle, follower, 685) > 0.8)
FROM stir_world.ig_profile
ARRAY JOIN range(300) AS n
ARRAY JOIN if(unit(handle, n, 686) < 0.02, [0, 1], [0]) AS again
WHERE idx < greatest(5, intDiv({profiles:UInt32}, 80))
