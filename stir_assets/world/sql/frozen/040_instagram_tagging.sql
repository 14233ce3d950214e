-- Hand tags of Instagram handles.
INSERT INTO manual.instagram_tagging
    (handle, category_1, category_2, category_3, c1_yn, c2_yn, c3_yn, additional_category, language_1, language_2,
     language_3)
WITH
    /* prelude */,
    (n, share) -> if(unit(profile_id, n, 710) < share, 'Yes', 'No') AS answer
SELECT
    if(unit(profile_id, 0, 711) < 0.01, NULL, handle), category, pick(words['categories'], profile_id, 1, 712), if(unit(profile_id, 0, 713) < 0.4, pick(words['categories'], profile_id, 2, 712), NULL),
    answer(1, 0.9), answer(2, 0.5), answer(3, 0.3), if(unit(profile_id, 0, 714) < 0.2, pick(words['categories'], profile_id, 3, 712), ''),
    transform(language, ['en', 'hi', 'ta', 'te', 'bn', 'mr', 'kn', 'gu'], ['English', 'Hindi', 'Tamil', 'Telugu', 'Bengali', 'Marathi', 'Kannada', 'Gujarati'], 'English'),
    if(unit(profile_id, 0, 715) < 0.5, 'English', NULL), NULL
FROM stir_world.ig_profile
WHERE unit(profile_id, 0, 716) < 0.25
