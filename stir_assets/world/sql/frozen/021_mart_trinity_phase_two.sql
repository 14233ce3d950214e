-- Persona survey of some creators.
INSERT INTO dbt.mart_trinity_phase_two
    (handle, `g3.Name`, `g3.City`, `g3.State`, `g3.Tier`, `g3.Brands Interested`, `g3.Brands Purchased From`,
     `g3.Categories Interested`, `g3.Concerns`, `g3.Ingredients Interested`, `g3.Price preference`,
     `g3.Discount preference`, `g3.Preferred channel`, `g3.Preferred day`, `g3.Preferred hour`, `g3.Persona`,
     `g3.Insta Handle`, profiles_i_follow, my_top_influencers, my_top_brands, brand_mentions, time_slots, age)
WITH
    /* prelude */,
    (list, n) -> pick(list, profile_id, n, 660) AS answer
SELECT
    handle, full_name, words['cities'][place + 1], words['states'][place + 1], answer(['Tier 1', 'Tier 2', 'Tier 3'], 1),
    answer(words['brands'], 2), answer(words['brands'], 3), answer(words['categories'], 4), answer(['dryness', 'tan', 'none'], 5),
    answer(['aloe', 'neem', 'vitamin c'], 6), answer(['below 500', '500-1500', 'any'], 7), answer(['10%', '25%', '50%'], 8),
    answer(['app', 'whatsapp', 'email'], 9), answer(['Saturday', 'Sunday', 'Friday'], 10), answer(['morning', 'evening', 'night'], 11),
    answer(['explorer', 'expert', 'saver'], 12), handle,
    concat('["', answer(words['nouns'], 13), '"]'), concat('["', answer(words['nouns'], 14), '"]'), concat('["', answer(words['brands'], 15), '"]'),
    concat('["', answer(words['brands'], 16), '"]'), '["18:00-20:00"]', answer(['18-24', '25-34', '35-44'], 17)
FROM stir_world.ig_profile
WHERE cityHash64({seed:UInt64}, profile_id, 661) % 100 < 15
