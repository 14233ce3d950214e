-- Answers of the language model about profiles: v0.11 audience estimates, v0.12 basic data.
INSERT INTO `_e`.profile_log_events
    (source, platform, profile_id, handle, metrics, dimensions, event_timestamp, insert_timestamp, event_id)
WITH
    /* prelude */,
    toInt64({start:Int64} + unit(p.idx, version, 62) * 10368000 + k * 10368000 + unit(p.idx, k * 2 + version, 63) * 864000) AS t,
    ['13-17', '18-24', '25-34', '35-44', '45-54', '55-64', '65+'] AS ages,
    [6, 34, 30, 14, 8, 5, 3] AS weights,
    -- sometimes one part of the answer is missing
    unit(p.idx, k, 64) AS fate
SELECT
    if(version = 1, 'openapi_profile_info_v0.11', 'openapi_profile_info_v0.12') AS source,
    'INSTAGRAM' AS platform,
    if(version = 1, p.handle, p.profile_id) AS profile_id,
    p.handle AS handle,
    '{}' AS metrics,
    if(version = 1,
        concat('{',
            if(fate < 0.05, '', concat('"audience_gender_age": {', arrayStringConcat(arrayFlatten(arrayMap((age, weight, i) -> [
                concat('"', age, ' female": ', toString(round(weight * (0.3 + unit(p.idx, i, 65)), 1))),
                concat('"', age, ' male": ', toString(round(weight * (0.3 + unit(p.idx, i, 66)), 1)))
            ], ages, weights, range(7))), ', '), '}')),
            if(fate < 0.05 OR fate > 0.95, '', ', '),
            if(fate > 0.95, '', concat('"audience_city": {', arrayStringConcat(arrayMap(
                i -> concat('"', words['cities'][1 + (i + p.idx) % length(words['cities'])], '": ', toString(2 + draw(p.idx, i, 67) % 30)),
                range(if(fate > 0.9, 3, 6))), ', '), '}')),
            '}'),
        toJSONString(map(
            'city', multiIf(fate < 0.1, 'Unknown', fate < 0.2, concat('["', words['cities'][p.place + 1], '", "', words['cities'][1], '"]'), words['cities'][p.place + 1]),
            'state', if(fate < 0.1, 'UNKNOWN', words['states'][p.place + 1]),
            'country', multiIf(fate < 0.05, 'Worldwide', p.home = 'IN' AND fate < 0.15, 'India, Nepal',
                transform(p.home, ['IN', 'US', 'GB', 'AE', 'SG', 'ID', 'BR'], ['India', 'United States', 'United Kingdom', 'United Arab Emirates', 'Singapore', 'Indonesia', 'Brazil'], 'Unknown')),
            'languages', if(fate < 0.08, 'Not specified', transform(p.language, ['en', 'hi', 'ta', 'te', 'bn', 'mr', 'kn', 'gu'],
                ['English', 'Hindi/English', 'Tamil', 'Telugu', 'Bengali', 'Marathi', '["Kannada", "English"]', 'Gujarati'], 'English')),
            'gender', multiIf(fate < 0.15, 'UNKNOWN', p.gender = 'F', 'FEMALE', 'MALE')
        ))) AS dimensions,
    toDateTime(t) AS event_timestamp,
    toDateTime(t + 20) AS insert_timestamp,
    lower(hex(draw(p.idx, k * 2 + version, 68))) AS event_id
FROM stir_world.ig_profile AS p
ARRAY JOIN [1, 2] AS version
ARRAY JOIN range(
    toUInt64(greatest(0, intDiv({t0:Int64} - {start:Int64}, 10368000) - 2)),
    toUInt64(greatest(0, intDiv({t1:Int64} - {start:Int64}, 10368000) + 1))
) AS k
WHERE t + 20 > {t0:Int64} AND t + 20 <= {t1:Int64} AND unit(p.idx, version, 61) < 0.7
