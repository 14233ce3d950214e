-- hourly
-- Orders a tracked link has brought so far, rewritten when a day ends.
INSERT INTO dbt.mart_link_clicks_orders
    (link, overall_orders, delivered_orders, completed_orders, leaderboard_overall_orders, leaderboard_delivered_orders, leaderboard_completed_orders)
WITH
    /* prelude */,
    intDiv({t1:Int64}, 86400) * 86400 AS day,
    if(unit(link, 0, 530) < 0.6, toInt64((1 + 30 * pow(unit(link, 0, 531), 3)) * progress(day - added, 864000)), 0) AS orders
SELECT link, orders, toInt64(orders * 0.8), toInt64(orders * 0.7), toInt64(orders * 0.9), toInt64(orders * 0.75), toInt64(orders * 0.65)
FROM (SELECT link, min(created) AS added FROM stir_world.item WHERE link != '' GROUP BY link)
WHERE added <= day AND intDiv({t0:Int64}, 86400) * 86400 < day
