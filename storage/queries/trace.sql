-- What explains: why a level is what it is, and what became of an order.

-- name: levels_of_sku
-- All levels of the products that have the SKU: a renamed product's older levels still say its old one.
SELECT product_id, outlet_id, sku, revision, on_hand, allocated, awaiting
FROM stock_levels
WHERE store_id = $1
  AND product_id IN (SELECT product_id FROM stock_levels WHERE store_id = $1 AND sku = $2)
  AND ($3::text IS NULL OR outlet_id = $3)
ORDER BY product_id, outlet_id;

-- name: last_count
SELECT max(revision)
FROM stock_movements
WHERE (store_id, product_id, outlet_id) = ($1, $2, $3) AND kind = 'counted';

-- name: story
-- A level's movements from revision $4 on, in order; the audit's row of those that an operator made.
SELECT revision, kind, cause, sku, order_id, line_id, quantity, on_hand, allocated, awaiting, on_hand_after,
       allocated_after, awaiting_after, source_topic, source_partition, source_offset, event_time, processed_at
FROM stock_movements
WHERE (store_id, product_id, outlet_id) = ($1, $2, $3) AND revision >= $4
ORDER BY revision;

-- name: ledger
-- What all movements of a level come to: $4 is the revision up to which the second set of sums goes.
SELECT sum(on_hand), sum(allocated), sum(awaiting),
       coalesce(sum(on_hand) FILTER (WHERE revision <= $4), 0),
       coalesce(sum(allocated) FILTER (WHERE revision <= $4), 0),
       coalesce(sum(awaiting) FILTER (WHERE revision <= $4), 0)
FROM stock_movements
WHERE (store_id, product_id, outlet_id) = ($1, $2, $3);

-- name: edge_movements
-- A level's first and last movement, and its last correction.
(SELECT 'first', revision, on_hand, allocated, awaiting, on_hand_after, allocated_after, awaiting_after
 FROM stock_movements
 WHERE (store_id, product_id, outlet_id) = ($1, $2, $3)
 ORDER BY revision LIMIT 1)
UNION ALL
(SELECT 'last', revision, on_hand, allocated, awaiting, on_hand_after, allocated_after, awaiting_after
 FROM stock_movements
 WHERE (store_id, product_id, outlet_id) = ($1, $2, $3)
 ORDER BY revision DESC LIMIT 1)
UNION ALL
(SELECT 'corrected', revision, on_hand, allocated, awaiting, on_hand_after, allocated_after, awaiting_after
 FROM stock_movements
 WHERE (store_id, product_id, outlet_id) = ($1, $2, $3) AND kind = 'corrected'
 ORDER BY revision DESC LIMIT 1);

-- name: breaks
-- Where one movement does not go on from the one before: the last $4 of them, the latest first.
SELECT revision, before, on_hand_before, allocated_before, awaiting_before,
       on_hand, allocated, awaiting, on_hand_after, allocated_after, awaiting_after
FROM (
    SELECT revision, on_hand, allocated, awaiting, on_hand_after, allocated_after, awaiting_after,
           lag(revision) OVER story AS before,
           lag(on_hand_after) OVER story AS on_hand_before,
           lag(allocated_after) OVER story AS allocated_before,
           lag(awaiting_after) OVER story AS awaiting_before
    FROM stock_movements
    WHERE (store_id, product_id, outlet_id) = ($1, $2, $3)
    WINDOW story AS (ORDER BY revision)
) AS moved
WHERE before IS NOT NULL
  AND (
    revision <> before + 1
    OR on_hand_before + on_hand <> on_hand_after
    OR allocated_before + allocated <> allocated_after
    OR awaiting_before + awaiting <> awaiting_after
  )
ORDER BY revision DESC
LIMIT $4;

-- name: operations_readable
SELECT to_regclass('tillstream_operations.audit') IS NOT NULL
   AND coalesce(has_table_privilege(to_regclass('tillstream_operations.audit'), 'SELECT'), false);

-- name: corrections_audited
-- Who corrected, and why, by the coordinates of the correction's record.
SELECT (made->>'partition')::int, (made->>'offset')::bigint, a.operator, a.reason, a.audit_id
FROM tillstream_operations.audit AS a
CROSS JOIN LATERAL jsonb_array_elements(a.result->'corrections') AS made
WHERE a.action = 'reconcile compensate'
  AND jsonb_typeof(a.result->'corrections') = 'array'
  AND a.scope->>'store' = $1;

-- name: order_rows
-- Every row about an order: the table, its id, revision, what it says, and its times.
SELECT 'sales', sale_id::text, revision, 'sale ' || state, cause, event_time, received_at, processed_at,
       recorded_at
FROM sales
WHERE store_id = $1 AND order_id = $2
UNION ALL
SELECT 'fulfillments', fulfillment_id::text, revision, 'fulfilment ' || state, type || ' from ' || outlet_id,
       event_time, received_at, processed_at, NULL
FROM fulfillments
WHERE sale_id = $3::uuid
UNION ALL
SELECT 'refunds', refund_id::text, revision, 'refund ' || state, amount || ' ' || currency || ' by ' || method,
       event_time, received_at, processed_at, NULL
FROM refunds
WHERE store_id = $1 AND order_id = $2
UNION ALL
SELECT 'stock_movements', event_id || '#' || ordinal, revision, kind || ' ' || trim_scale(quantity),
       sku || ' at ' || outlet_id, event_time, received_at, processed_at, NULL
FROM stock_movements
WHERE store_id = $1 AND order_id = $2
UNION ALL
SELECT 'exceptions', exception_id::text, revision, 'exception ' || kind || CASE WHEN open THEN ' open' ELSE ' closed' END,
       detail, event_time, received_at, processed_at, NULL
FROM exceptions
WHERE store_id = $1 AND order_id = $2
UNION ALL
SELECT 'dead_letters', dead_letter_id, NULL, 'dead letter ' || reason,
       source_topic || '/' || source_partition || '@' || source_offset || ': ' || detail,
       NULL, record_time, processed_at, recorded_at
FROM dead_letters
WHERE store_id = $1 AND order_id = $2;

-- name: order_names
-- What the point of sale calls the sale and what came back of it, and when the customer placed the order.
SELECT s.pos_sale_id, s.placed_at,
       ARRAY(SELECT DISTINCT return_id FROM sale_returns WHERE sale_id = s.sale_id)
FROM sales AS s
WHERE s.store_id = $1 AND s.order_id = $2;
