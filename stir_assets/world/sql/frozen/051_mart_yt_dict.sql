-- The old dictionary of channels.
INSERT INTO default.mart_yt_dict (channel_id, category, yt_category, country)
SELECT channel_id, category, category, ifNull(country, '') FROM stir_world.yt_channel
