-- What the history has of a store, to be held against the topics.

-- name: positions
SELECT topic, next_offset FROM progress WHERE consumer = $1 AND partition = $2;

-- name: levels
SELECT product_id, outlet_id, sku, revision, on_hand, allocated, awaiting
FROM stock_levels
WHERE store_id = $1;

-- name: movement_counts
SELECT product_id, outlet_id, count(*)
FROM stock_movements
WHERE store_id = $1 AND ($2::timestamptz IS NULL OR processed_at >= $2)
GROUP BY product_id, outlet_id;

-- name: sales
-- The last column says whether the topic is read as far back as the row was decided.
SELECT sale_id::text, order_id, revision, $2::timestamptz IS NULL OR processed_at >= $2
FROM sales
WHERE store_id = $1;

-- name: refused_events
-- Events that could not be rows.
SELECT source_topic, source_offset
FROM dead_letters
WHERE found_by = 'history' AND store_id = $1 AND source_partition = $2;

-- name: pruned_before
-- Movements decided before were pruned, or may have been.
SELECT max((scope->>'before')::date)
FROM tillstream_operations.audit
WHERE action = 'history prune' AND scope->>'what' IN ('movements', 'all');

-- name: open_refusals
SELECT subject FROM exceptions WHERE store_id = $1 AND open AND kind = 'correction_refused';
