-- What the sink asks and changes around its COPYs. Keys come as one array per key column.

-- name: known_sales
SELECT sale_id::text, revision FROM sales WHERE sale_id = ANY($1::uuid[]);

-- name: remove_sales
WITH lines AS (DELETE FROM sale_lines WHERE sale_id = ANY($1::uuid[])),
payments AS (DELETE FROM sale_payments WHERE sale_id = ANY($1::uuid[])),
returns AS (DELETE FROM sale_returns WHERE sale_id = ANY($1::uuid[]))
DELETE FROM sales WHERE sale_id = ANY($1::uuid[]);

-- name: known_fulfillments
SELECT fulfillment_id::text, revision FROM fulfillments WHERE fulfillment_id = ANY($1::uuid[]);

-- name: remove_fulfillments
WITH lines AS (DELETE FROM fulfillment_lines WHERE fulfillment_id = ANY($1::uuid[]))
DELETE FROM fulfillments WHERE fulfillment_id = ANY($1::uuid[]);

-- name: known_refunds
SELECT refund_id::text, revision FROM refunds WHERE refund_id = ANY($1::uuid[]);

-- name: remove_refunds
DELETE FROM refunds WHERE refund_id = ANY($1::uuid[]);

-- name: known_customers
SELECT store_id, customer_id, revision
FROM customers
JOIN unnest($1::text[], $2::text[]) AS asked (store_id, customer_id) USING (store_id, customer_id);

-- name: remove_customers
DELETE FROM customers AS c
USING unnest($1::text[], $2::text[]) AS old (store_id, customer_id)
WHERE (c.store_id, c.customer_id) = (old.store_id, old.customer_id);

-- name: known_exceptions
SELECT exception_id::text, revision FROM exceptions WHERE exception_id = ANY($1::uuid[]);

-- name: remove_exceptions
DELETE FROM exceptions WHERE exception_id = ANY($1::uuid[]);

-- name: known_dead_letters
SELECT dead_letter_id, 1 FROM dead_letters WHERE dead_letter_id = ANY($1::text[]);

-- name: remove_dead_letters
DELETE FROM dead_letters WHERE dead_letter_id = ANY($1::text[]);

-- name: known_movements
SELECT store_id, product_id, outlet_id, revision, event_id
FROM stock_movements
JOIN unnest($1::text[], $2::text[], $3::text[], $4::int[])
    AS asked (store_id, product_id, outlet_id, revision)
    USING (store_id, product_id, outlet_id, revision);

-- name: raise_levels
-- Returns how many of the levels had $10, the first revision brought, or a later one before: the key of the
-- movements cannot tell, for it has the month in it.
WITH moved AS (
    SELECT *
    FROM unnest(
        $1::text[], $2::text[], $3::text[], $4::text[], $5::int[],
        $6::numeric[], $7::numeric[], $8::numeric[], $9::timestamptz[], $10::int[]
    ) AS moved (store_id, product_id, outlet_id, sku, revision, on_hand, allocated, awaiting, event_time, first)
),
raised AS (
    INSERT INTO stock_levels AS level
        (store_id, product_id, outlet_id, sku, revision, on_hand, allocated, awaiting, event_time)
    SELECT store_id, product_id, outlet_id, sku, revision, on_hand, allocated, awaiting, event_time
    FROM moved
    ON CONFLICT (store_id, product_id, outlet_id) DO UPDATE
    SET sku = excluded.sku,
        revision = excluded.revision,
        on_hand = excluded.on_hand,
        allocated = excluded.allocated,
        awaiting = excluded.awaiting,
        event_time = excluded.event_time
    WHERE excluded.revision > level.revision
    RETURNING 1
)
-- Not raised: it had the last one. Of those that were, only one that was brought several can have had some of
-- them; it is looked up as it was before this statement.
SELECT (SELECT count(*) FROM moved) - (SELECT count(*) FROM raised) + (
    SELECT count(*)
    FROM moved
    JOIN stock_levels AS level USING (store_id, product_id, outlet_id)
    WHERE moved.first < moved.revision
      AND level.revision >= moved.first
      AND level.revision < moved.revision
);
