-- What came back and what was given back: the topic `refunds`, the returns of a sale, and what the point of sale
-- says of a sale once it has it.
--
-- New columns get what an event has that lacks their field, so that a history that is brought to this version
-- and one that is rebuilt by replay are the same.

ALTER TABLE sales
    ADD COLUMN pos_sale_id      text,
    ADD COLUMN refunded_in_ecom numeric NOT NULL DEFAULT 0;
ALTER TABLE sales ALTER COLUMN refunded_in_ecom DROP DEFAULT;
-- "Which order is this sale of the point of sale?" Only those that it has acknowledged: a new order pays nothing.
CREATE INDEX sales_pos_sale ON sales (store_id, pos_sale_id) WHERE pos_sale_id IS NOT NULL;

COMMENT ON COLUMN sales.cause IS 'What led to this revision: placed, paid, edited, cancelled, acknowledged, payment_taken, fulfillment_changed, returned, refunded, voided, ….';
COMMENT ON COLUMN sales.attributes IS 'pickup, delivery, backfilled, deleted, voided_in_pos: those that apply.';
COMMENT ON COLUMN sales.refunded IS 'What was given back in all: the more of refunded_in_ecom and the refunds of the point of sale.';
COMMENT ON COLUMN sales.pos_sale_id IS 'The sale''s id in the point of sale, once it has acknowledged it (at most 400 characters here).';
COMMENT ON COLUMN sales.refunded_in_ecom IS 'What the online store says that it gave back.';

ALTER TABLE sale_lines
    ADD COLUMN withdrawn numeric NOT NULL DEFAULT 0,
    ADD COLUMN recalled  numeric NOT NULL DEFAULT 0;
ALTER TABLE sale_lines ALTER COLUMN withdrawn DROP DEFAULT, ALTER COLUMN recalled DROP DEFAULT;

COMMENT ON COLUMN sale_lines.withdrawn IS 'Part of the cancelled quantity that a return took back before it went out.';
COMMENT ON COLUMN sale_lines.recalled IS 'Part of the fulfilled quantity that the order no longer has: it must come back as a return.';

CREATE TABLE sale_returns (
    sale_id     uuid        NOT NULL,
    position    integer     NOT NULL,
    store_id    text        NOT NULL,
    return_id   text        NOT NULL,
    state       text        NOT NULL,
    outlet_id   text,
    returned_at timestamptz NOT NULL,
    line_id     text,
    sku         text,
    product_id  text,
    quantity    numeric     NOT NULL,
    unfulfilled numeric     NOT NULL,
    detail      text,
    -- What came back of a sale, in order.
    PRIMARY KEY (sale_id, position)
);
-- "What came back between two days?"
CREATE INDEX sale_returns_returned ON sale_returns (store_id, returned_at);
-- "Which sale does this return belong to?"
CREATE INDEX sale_returns_return ON sale_returns (store_id, return_id);

COMMENT ON TABLE sale_returns IS 'What the point of sale took back of each sale at its latest revision: a row per return and line; one without a line for a return of money only.';
COMMENT ON COLUMN sale_returns.sale_id IS 'Sale of which something came back.';
COMMENT ON COLUMN sale_returns.position IS 'Place within the sale''s returned lines, from 0.';
COMMENT ON COLUMN sale_returns.store_id IS 'Store of the sale.';
COMMENT ON COLUMN sale_returns.return_id IS 'The return''s id in the point of sale (at most 400 characters here).';
COMMENT ON COLUMN sale_returns.state IS 'returned; refused: more than there was to return, nothing of it counts; voided: taken back in the point of sale.';
COMMENT ON COLUMN sale_returns.outlet_id IS 'Outlet that took it back; need not be the one that fulfilled.';
COMMENT ON COLUMN sale_returns.returned_at IS 'When it came back.';
COMMENT ON COLUMN sale_returns.line_id IS 'Line of the sale (sale_lines.line_id); empty when only money went back.';
COMMENT ON COLUMN sale_returns.sku IS 'SKU of the line (at most 400 characters here).';
COMMENT ON COLUMN sale_returns.product_id IS 'Product of the point of sale that came back.';
COMMENT ON COLUMN sale_returns.quantity IS 'Quantity that came back; 0 when only money went back.';
COMMENT ON COLUMN sale_returns.unfulfilled IS 'Part of the quantity that had not gone out yet: cancelled instead of taken back.';
COMMENT ON COLUMN sale_returns.detail IS 'Why it was refused.';

CREATE TABLE refunds (
    refund_id    uuid        PRIMARY KEY,
    sale_id      uuid        NOT NULL,
    store_id     text        NOT NULL,
    order_id     text        NOT NULL,
    return_id    text        NOT NULL,
    outlet_id    text,
    revision     integer     NOT NULL,
    state        text        NOT NULL,
    method       text        NOT NULL,
    kind         text        NOT NULL,
    processor    text,
    reversal     text        NOT NULL,
    amount       numeric     NOT NULL,
    currency     text        NOT NULL,
    event_time   timestamptz NOT NULL,
    received_at  timestamptz NOT NULL,
    processed_at timestamptz NOT NULL
);
-- "What went back for this order?"
CREATE INDEX refunds_order ON refunds (store_id, order_id);
-- "What went back between two days?"
CREATE INDEX refunds_made ON refunds (store_id, event_time);

COMMENT ON TABLE refunds IS 'Money given back through the point of sale: one row per return and tender, at its latest revision.';
COMMENT ON COLUMN refunds.refund_id IS 'Id of the refund: UUIDv5 of sale, return and payment.';
COMMENT ON COLUMN refunds.sale_id IS 'Sale that the money was paid for; its row may come later than this one.';
COMMENT ON COLUMN refunds.store_id IS 'Store of the sale.';
COMMENT ON COLUMN refunds.order_id IS 'The online order''s id.';
COMMENT ON COLUMN refunds.return_id IS 'The return in the point of sale (sale_returns.return_id).';
COMMENT ON COLUMN refunds.outlet_id IS 'Outlet that gave it back.';
COMMENT ON COLUMN refunds.revision IS 'Counts the changes of this refund: 1, 2, 3 ….';
COMMENT ON COLUMN refunds.state IS 'made; voided: the return was taken back in the point of sale, the money does not count.';
COMMENT ON COLUMN refunds.method IS 'Name of the tender.';
COMMENT ON COLUMN refunds.kind IS 'integrated, recorded, gift_card, store_credit, loyalty, rounding, pos, or exchange: set off against other goods.';
COMMENT ON COLUMN refunds.processor IS 'Payment processor that took the money, if one did.';
COMMENT ON COLUMN refunds.reversal IS 'processed: the money is on its way; manual: the merchant must give it back at the processor.';
COMMENT ON COLUMN refunds.amount IS 'What went back to the customer; a rounding may be negative.';
COMMENT ON COLUMN refunds.currency IS 'ISO 4217 code of the amount.';
COMMENT ON COLUMN refunds.event_time IS 'When this revision''s change happened at its source: of a refund that is made, when it was made.';
COMMENT ON COLUMN refunds.received_at IS 'When the record that caused this revision reached Kafka.';
COMMENT ON COLUMN refunds.processed_at IS 'When this revision was decided.';

ALTER TABLE stock_movements ADD COLUMN quantity numeric NOT NULL DEFAULT 0;
ALTER TABLE stock_movements ALTER COLUMN quantity DROP DEFAULT;

COMMENT ON COLUMN stock_movements.kind IS 'counted, allocated, released, acknowledged, fulfilled or returned. Only a count moves on_hand.';
COMMENT ON COLUMN stock_movements.quantity IS 'How many pieces were allocated, released, acknowledged, fulfilled or returned, whether that moves a level or not; 0 of a count.';
COMMENT ON COLUMN sale_payments.kind IS 'integrated, recorded, gift_card, store_credit, loyalty, rounding (of cash; may be negative), pos (taken in the shop) or exchange.';

-- An older worker may have written sales that say more than it had columns for.
UPDATE sales
SET pos_sale_id = left(document->>'pos_sale_id', 400),
    refunded_in_ecom = coalesce((document->>'refunded_in_ecom')::numeric, 0)
WHERE document->>'pos_sale_id' IS NOT NULL
   OR coalesce((document->>'refunded_in_ecom')::numeric, 0) <> 0;

UPDATE sale_lines AS line
SET withdrawn = coalesce((said.line->>'withdrawn')::numeric, 0),
    recalled = coalesce((said.line->>'recalled')::numeric, 0)
FROM sales AS s, json_array_elements(s.document->'lines') WITH ORDINALITY AS said (line, place)
WHERE line.sale_id = s.sale_id
  AND line.position = said.place - 1
  AND (said.line->>'withdrawn' IS NOT NULL OR said.line->>'recalled' IS NOT NULL);

INSERT INTO sale_returns
SELECT s.sale_id,
       row_number() OVER (PARTITION BY s.sale_id ORDER BY came.place, piece.place) - 1,
       s.store_id,
       left(came.back->>'return_id', 400),
       came.back->>'state',
       came.back->>'outlet_id',
       (came.back->>'returned_at')::timestamptz,
       piece.line->>'line_id',
       left(piece.line->>'sku', 400),
       piece.line->>'product_id',
       coalesce((piece.line->>'quantity')::numeric, 0),
       coalesce((piece.line->>'unfulfilled')::numeric, 0),
       came.back->>'detail'
FROM sales AS s
CROSS JOIN json_array_elements(s.document->'returns') WITH ORDINALITY AS came (back, place)
LEFT JOIN json_array_elements(came.back->'lines') WITH ORDINALITY AS piece (line, place) ON true;

CREATE VIEW payment_entries AS
SELECT store_id,
       taken_at AS at,
       coalesce(processor, name) AS name,
       kind,
       currency,
       amount AS amount_in,
       -- A zero with the decimals of the currency.
       amount * 0 AS amount_out,
       amount * 0 AS manual,
       sale_id
FROM sale_payments
UNION ALL
SELECT store_id,
       event_time,
       coalesce(processor, method),
       kind,
       currency,
       amount * 0,
       amount,
       CASE WHEN reversal = 'manual' THEN amount ELSE amount * 0 END,
       sale_id
FROM refunds
WHERE state = 'made';

COMMENT ON VIEW payment_entries IS 'Every payment taken (amount_in) and every refund given through the point of sale (amount_out), by the name of its processor, else of its tender. manual: the part of amount_out that the merchant must give back at the processor. What only the online store says that it gave back has no tender and is not here: sales.refunded_in_ecom.';

CREATE VIEW payment_report AS
SELECT store_id,
       (at AT TIME ZONE 'UTC')::date AS day,
       name,
       kind,
       currency,
       sum(amount_in) AS amount_in,
       sum(amount_out) AS amount_out,
       sum(amount_in - amount_out) AS net,
       sum(manual) AS manual,
       count(*) AS count
FROM payment_entries
GROUP BY store_id, day, name, kind, currency;

COMMENT ON VIEW payment_report IS 'Payments taken and refunds given per store, day, processor or tender, and kind. Days are UTC, for the history does not know a store''s time zone: group payment_entries by (at AT TIME ZONE ''…'')::date for another. manual: the part of amount_out that the merchant must give back at the processor. count: payments and refunds together.';
