-- What people ask the history. Parameters that are null do not narrow the answer.

-- name: find_sale
SELECT document::text, recorded_at FROM sales WHERE store_id = $1 AND order_id = $2;

-- name: customer_ids
-- A customer's profiles: $2 is an id as given, $3 the same as an e-mail.
WITH RECURSIVE profiles AS (
    SELECT store_id, customer_id
    FROM customers
    WHERE (email = $3 OR customer_id = $2) AND ($1::text IS NULL OR store_id = $1)
    UNION
    SELECT c.store_id, c.customer_id
    FROM customers AS c
    JOIN profiles AS p ON c.store_id = p.store_id AND c.replaced_by = p.customer_id
)
SELECT customer_id FROM profiles;

-- name: list_sales
SELECT s.sale_id::text, s.store_id, s.order_id, s.pos_sale_id, s.revision, s.cause, s.state, s.attributes,
       s.paid, s.currency, s.total, s.amount_paid, s.refunded, s.customer_id, s.customer_email,
       s.customer_name, s.placed_at, coalesce(f.outlets, '{}')
FROM sales AS s
LEFT JOIN LATERAL (
    SELECT array_agg(DISTINCT outlet_id ORDER BY outlet_id) AS outlets
    FROM fulfillments
    WHERE sale_id = s.sale_id AND state <> 'cancelled'
) AS f ON true
WHERE ($1::text IS NULL OR s.store_id = $1)
  AND ($2::text IS NULL OR s.state = $2)
  AND ($3::timestamptz IS NULL OR s.placed_at >= $3)
  AND ($4::text[] IS NULL OR s.customer_id = ANY($4))
ORDER BY s.placed_at DESC, s.store_id, s.order_id
LIMIT $5;

-- name: list_fulfillments
SELECT f.fulfillment_id::text, f.sale_id::text, f.store_id, f.order_id, f.outlet_id, f.type, f.state,
       f.revision, f.event_time
FROM fulfillments AS f
WHERE ($1::text IS NULL OR f.store_id = $1)
  AND ($2::text IS NULL OR f.outlet_id = $2)
  AND ($3::text[] IS NULL OR f.state = ANY($3))
  AND ($4::timestamptz IS NULL OR f.event_time >= $4)
  AND ($5::text IS NULL OR f.order_id = $5)
ORDER BY f.event_time DESC, f.store_id, f.order_id, f.outlet_id
LIMIT $6;

-- name: fulfillment_lines
SELECT fulfillment_id::text, line_id, sku, product_id, quantity, backordered, picked, packed, fulfilled
FROM fulfillment_lines
WHERE fulfillment_id = ANY($1::uuid[])
ORDER BY fulfillment_id, position;

-- name: list_refunds
-- $6 and $7 are days, both included, that begin at midnight in the time zone $8.
SELECT refund_id::text, sale_id::text, store_id, order_id, return_id, outlet_id, revision, state, method, kind,
       processor, reversal, amount, currency, event_time
FROM refunds
WHERE ($1::text IS NULL OR store_id = $1)
  AND ($2::text IS NULL OR order_id = $2)
  AND ($3::text IS NULL OR reversal = $3)
  AND ($4::boolean OR state = 'made')
  AND ($6::date IS NULL OR event_time >= ($6::date::timestamp AT TIME ZONE $8::text))
  AND ($7::date IS NULL OR event_time < (($7::date + 1)::timestamp AT TIME ZONE $8::text))
ORDER BY event_time DESC, store_id, order_id, refund_id
LIMIT $5;

-- name: report_payments
-- What the view payment_report says, with days of the time zone $4; a row without a day is the sum over all days
-- and kinds.
SELECT (at AT TIME ZONE $4::text)::date AS day,
       name,
       kind,
       currency,
       sum(amount_in),
       sum(amount_out),
       sum(amount_in - amount_out),
       sum(manual),
       count(*)
FROM payment_entries
WHERE store_id = $1
  AND at >= ($2::date::timestamp AT TIME ZONE $4::text)
  AND at < (($3::date + 1)::timestamp AT TIME ZONE $4::text)
GROUP BY GROUPING SETS ((day, name, kind, currency), (name, currency))
ORDER BY day NULLS LAST, name, currency, kind;

-- name: list_movements
-- By the product, not by the SKU that it had at the time: a renamed one keeps its movements.
SELECT store_id, sku, product_id, outlet_id, revision, kind, cause, order_id, line_id, quantity,
       on_hand, allocated, awaiting, on_hand_after, allocated_after, awaiting_after, event_time, processed_at
FROM stock_movements
WHERE ($1::text IS NULL OR store_id = $1)
  AND ($2::text IS NULL OR (store_id, product_id) IN (SELECT store_id, product_id FROM stock_levels WHERE sku = $2))
  AND ($3::text IS NULL OR outlet_id = $3)
  AND ($4::text IS NULL OR order_id = $4)
  AND ($5::timestamptz IS NULL OR event_time >= $5)
ORDER BY processed_at DESC, store_id, product_id, outlet_id, revision DESC
LIMIT $6;

-- name: list_stock
SELECT store_id, sku, product_id, outlet_id, on_hand, allocated, awaiting,
       on_hand - allocated - awaiting, revision, event_time
FROM stock_levels
WHERE ($1::text IS NULL OR store_id = $1)
  AND ($2::text IS NULL OR sku = $2)
  AND ($3::text IS NULL OR outlet_id = $3)
ORDER BY store_id, sku, product_id, outlet_id
LIMIT $4;

-- name: list_customers
SELECT store_id, customer_id, revision, origin, email, name, first_name, last_name, deleted, replaced_by,
       duplicate_of, created_at
FROM customers
WHERE ($1::text IS NULL OR store_id = $1)
  AND ($2::text IS NULL OR email = $2)
ORDER BY store_id, email, customer_id
LIMIT $3;

-- name: list_exceptions
SELECT exception_id::text, store_id, kind, subject, detail, open, revision, opened_at, closed_at, order_id,
       sale_id::text
FROM exceptions
WHERE ($1::text IS NULL OR store_id = $1)
  AND ($2::text IS NULL OR kind = $2)
  AND ($3::boolean OR open)
  AND ($4::text IS NULL OR order_id = $4)
ORDER BY opened_at DESC, store_id, subject, kind
LIMIT $5;

-- name: list_progress
SELECT consumer, topic, partition, next_offset, updated_at
FROM progress
ORDER BY consumer, topic, partition;

-- name: time_zone
SELECT name FROM pg_timezone_names WHERE lower(name) = lower($1) ORDER BY name LIMIT 1;
