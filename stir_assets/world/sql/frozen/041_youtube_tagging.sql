-- Hand tags of channels from eleven files; a channel may be in several, with other answers.
INSERT INTO manual.youtube_tagging
    (channelid, creator_brand, language, gcc_category, gender, city, state, linked_instagram_handle, email, priority)
WITH
    /* prelude */
SELECT
    channel_id, if(label = 'BRAND', 'Brand', if(unit(channel_id, file, 720) < 0.95, 'Creator', '')),
    transform(language, ['en', 'hi', 'ta', 'te', 'bn', 'mr', 'kn', 'gu'], ['English', 'Hindi', 'Tamil', 'Telugu', 'Bengali', 'Marathi', 'Kannada', 'Gujarati'], 'English'),
    multiIf(unit(channel_id, file, 721) < 0.1, 'Other', category = 'Food & Drinks', pick(['Food & Recipe', 'Food_Drink'], channel_id, file, 722),
        category = 'Finance', 'Personal Finance', category = 'Autos & Vehicles', 'Automotive', category),
    if(gender = 'M', pick(['Male', 'M', 'MALE'], channel_id, file, 723), pick(['Female', 'F', 'FEMALE'], channel_id, file, 723)),
    words['cities'][place + 1],
    multiIf(words['states'][place + 1] = 'Tamil Nadu' AND unit(channel_id, file, 724) < 0.3, 'Tamilnadu', words['states'][place + 1] = 'Uttar Pradesh' AND unit(channel_id, file, 724) < 0.3, 'UP',
        unit(channel_id, file, 724) > 0.99, 'Somewhere', words['states'][place + 1]),
    if(linked_idx >= 0, concat('https://photo.example.com/', p_handle), ''),
    if(unit(channel_id, file, 725) < 0.5, concat(substring(custom_url, 2), '@example.com'), ''),
    toUInt8(file)
FROM
(
    SELECT c.*, p.handle AS p_handle FROM stir_world.yt_channel AS c
    LEFT JOIN stir_world.ig_profile AS p ON toInt32(p.idx) = c.linked_idx
)
ARRAY JOIN arrayDistinct([draw(channel_id, 0, 726) % 11, if(unit(channel_id, 0, 727) < 0.2, draw(channel_id, 0, 728) % 11, draw(channel_id, 0, 726) % 11)]) AS file
WHERE unit(channel_id, 0, 729) < 0.6
