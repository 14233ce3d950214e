-- The app's view of channels scraped in the window.
INSERT INTO coffee_replica.view_youtube_account_lite (id, channel_id, followers, username, title, thumbnail, created_at, updated_at)
SELECT
    c.app_id AS id, a.channel_id, if(c.idx % 41 = 40, 0, a.subscribers) AS followers, a.custom_url AS username, a.title, a.thumbnail,
    a.created_at, a.updated_at
FROM beat_replica.youtube_account AS a
INNER JOIN stir_world.yt_channel AS c ON c.channel_id = a.channel_id
WHERE a.updated_at > toDateTime({t0:Int64}) AND a.updated_at <= toDateTime({t1:Int64}) AND 1
