-- Expressions that every statement may use. A number drawn for (a, b) and purpose n never changes: that is
-- what makes the world deterministic and lets it be advanced in steps of any size.
    (a, b, n) -> cityHash64({seed:UInt64}, a, b, n) AS draw,
    (a, b, n) -> draw(a, b, n) / 18446744073709551616 AS unit,
    (list, a, b, n) -> arrayElement(list, 1 + draw(a, b, n) % length(list)) AS pick,
    -- followers, subscribers or views at epoch second t: growth a year, plus a viral jump at `jump_at`
    (today, growth, jump_at, jump, t) -> toInt64(
        today * exp(growth * (t - {anchor:Int64}) / 31536000) * (1 + jump / (1 + exp((jump_at - t) / 172800)))
    ) AS level,
    -- share of its final counters that a post has at an age
    (age, tau) -> 1 - exp(-pow(greatest(age, 0) / tau, 0.7)) AS progress,
    -- observation j of a post: often at first, ever rarer later
    (at, id, j) -> toInt64(at + 1200 + draw(id, 0, 90) % 9000 + 10800 * pow(j, 1.6)) AS seen_at,
    -- number of the observation before or at an age; a lower and an upper bound of it
    (at, t) -> toUInt64(floor(pow(greatest(t - at - 10200, 0) / 10800, 0.625))) AS seen_from,
    (at, t) -> toUInt64(floor(pow(greatest(t - at - 1200, 0) / 10800, 0.625)) + 1) AS seen_to,
    (SELECT mapFromArrays(groupArray(list), groupArray(words)) FROM stir_world.vocabulary) AS words
