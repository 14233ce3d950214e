-- Shop orders placed, sent, cancelled or sent and refunded in the window.
INSERT INTO beat_replica.order (id, platform, store, platform_order_id, utm_params, order_data, created_at, updated_at)
WITH
    /* prelude */,
    t + 3600 * (6 + toInt64(draw('order', n, 511) % 60)) AS later,
    unit('order', n, 512) AS fate,
    fate < 0.88 AND later <= {t1:Int64} AS changed,
    (x) -> formatDateTime(toDateTime(x, 'UTC'), '%Y-%m-%dT%H:%i:%SZ') AS iso
SELECT
    toInt64(n) + 1 AS id, 'SHOPIFY' AS platform,
    pick(words['stores'], 'order', n, 513) AS store,
    toString(4000000000000 + n * 7) AS platform_order_id,
    multiIf(unit('order', n, 514) < 0.45, concat('{"source": "gcc", "medium": "influencer", "campaign": "', toString(200 + 4 * (draw('order', n, 515) % 6)), '"}'),
        unit('order', n, 514) < 0.7, '{"source": "search", "medium": "cpc", "campaign": "always-on"}', NULL) AS utm_params,
    concat('{"name": "#', toString(10000 + n), '", "total_price": "', toString(toDecimal64(199 + draw('order', n, 516) % 900000 / 100, 2)),
        '", "tags": "', if(unit('order', n, 517) < 0.3, 'first-order', ''), '", "email": "buyer', toString(n), '@example.org"',
        ', "created_at": "', iso(t), '", "updated_at": "', iso(if(changed, later, t)), '"',
        ', "cancelled_at": ', if(changed AND fate < 0.07, concat('"', iso(later), '"'), 'null'),
        ', "fulfillments": [', if(changed AND fate >= 0.07, concat('{"status": "', if(fate < 0.1, 'pending', 'success'), '", "created_at": "', iso(later), '"}'), ''),
        '], "refunds": [', if(changed AND fate >= 0.84, concat('{"id": ', toString(n), ', "created_at": "', iso(later), '"}'), ''), ']}') AS order_data,
    toDateTime(t) AS created_at,
    toDateTime(if(changed, later, t)) AS updated_at
FROM
(
    SELECT number + toUInt64(greatest(0, floor(({t0:Int64} - 4 * 86400 - {start:Int64}) / every) - 2)) AS n,
        24192000 / greatest(400, 4000 * {scale:Float64}) AS every,
        {start:Int64} + toInt64((n + cityHash64({seed:UInt64}, n, 510) / 18446744073709551616) * every) AS t
    FROM numbers(toUInt64(4 + ({t1:Int64} - {t0:Int64} + 4 * 86400) / (24192000 / greatest(400, 4000 * {scale:Float64}))))
)
WHERE t <= {t1:Int64} AND (t > {t0:Int64} OR (fate < 0.88 AND later > {t0:Int64} AND later <= {t1:Int64}))
