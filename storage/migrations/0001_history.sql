-- The sales history: what the topics `sales`, `fulfillments`, `stock.movements`, `customers`, `exceptions` and
-- `dead.letters` say, as rows. It can be dropped and rebuilt by replay: the log is the truth.
--
-- Topics are read independently, so a fulfilment may be here before its sale: no foreign keys between them.
-- Every index costs write speed; each says which question it is there for.

CREATE TABLE sales (
    sale_id            uuid        PRIMARY KEY,
    store_id           text        NOT NULL,
    order_id           text        NOT NULL,
    revision           integer     NOT NULL,
    cause              text        NOT NULL,
    state              text        NOT NULL,
    attributes         text[]      NOT NULL,
    payment_status     text        NOT NULL,
    fulfillment_status text        NOT NULL,
    paid               boolean     NOT NULL,
    currency           text        NOT NULL,
    subtotal           numeric     NOT NULL,
    discount           numeric     NOT NULL,
    shipping           numeric     NOT NULL,
    tax                numeric     NOT NULL,
    rounding           numeric     NOT NULL,
    total              numeric     NOT NULL,
    amount_paid        numeric     NOT NULL,
    refunded           numeric     NOT NULL,
    customer_id        text        NOT NULL,
    customer_email     text,
    customer_name      text        NOT NULL,
    register_id        text,
    payment_method     text,
    external_order_id  text,
    order_version      bigint      NOT NULL,
    placed_at          timestamptz NOT NULL,
    event_time         timestamptz NOT NULL,
    received_at        timestamptz NOT NULL,
    processed_at       timestamptz NOT NULL,
    recorded_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    document           json        NOT NULL,
    -- One sale per order; "where is order K8XTQ?"
    CONSTRAINT sales_order UNIQUE (store_id, order_id)
) WITH (toast_tuple_target = 8160);
-- toast_tuple_target: documents of a few kilobytes stay in the row, uncompressed. Compressing each took more
-- time than all else that is done for its row.

-- "This store's latest sales", "sales between two days".
CREATE INDEX sales_placed ON sales (store_id, placed_at);
-- "What did this customer buy?"
CREATE INDEX sales_customer ON sales (store_id, customer_id);

COMMENT ON TABLE sales IS 'One row per sale (= per online order), at its latest revision.';
COMMENT ON COLUMN sales.sale_id IS 'Id of the sale: UUIDv5 of store and order, the same for ever.';
COMMENT ON COLUMN sales.store_id IS 'Store, as its link names it.';
COMMENT ON COLUMN sales.order_id IS 'The online order''s id, unique within its store.';
COMMENT ON COLUMN sales.revision IS 'Counts the changes of this sale: 1, 2, 3 … without gaps.';
COMMENT ON COLUMN sales.cause IS 'What led to this revision: placed, paid, edited, cancelled, ….';
COMMENT ON COLUMN sales.state IS 'parked, pending, voided or closed.';
COMMENT ON COLUMN sales.attributes IS 'pickup, delivery, backfilled, deleted: those that apply.';
COMMENT ON COLUMN sales.payment_status IS 'Payment status as the online store gave it.';
COMMENT ON COLUMN sales.fulfillment_status IS 'Fulfilment status as the online store gave it.';
COMMENT ON COLUMN sales.paid IS 'Whether nothing is left to pay.';
COMMENT ON COLUMN sales.currency IS 'ISO 4217 code of every amount of this sale.';
COMMENT ON COLUMN sales.subtotal IS 'Sum of the lines before discount, shipping and tax.';
COMMENT ON COLUMN sales.discount IS 'All discounts together, coupons included; not negative.';
COMMENT ON COLUMN sales.shipping IS 'Shipping, handling and surcharges.';
COMMENT ON COLUMN sales.tax IS 'Tax, whether the prices include it or not.';
COMMENT ON COLUMN sales.rounding IS 'What the total differs by from the sum of its parts.';
COMMENT ON COLUMN sales.total IS 'What the customer owes in all, gift card, store credit and loyalty included.';
COMMENT ON COLUMN sales.amount_paid IS 'Sum of the payments.';
COMMENT ON COLUMN sales.refunded IS 'Sum of what was given back.';
COMMENT ON COLUMN sales.customer_id IS 'Customer of the store; walk-in when the order gave no e-mail.';
COMMENT ON COLUMN sales.customer_email IS 'The customer''s e-mail at this revision (at most 400 characters here).';
COMMENT ON COLUMN sales.customer_name IS 'The customer''s name at this revision.';
COMMENT ON COLUMN sales.register_id IS 'Register of the point of sale that online sales go to.';
COMMENT ON COLUMN sales.payment_method IS 'Payment method as the online store names it.';
COMMENT ON COLUMN sales.external_order_id IS 'The order''s id in a third system, when the online store knows one.';
COMMENT ON COLUMN sales.order_version IS 'Update time of the order snapshot decided from, in ms since 1970.';
COMMENT ON COLUMN sales.placed_at IS 'When the customer placed the order.';
COMMENT ON COLUMN sales.event_time IS 'When this revision''s change happened at its source.';
COMMENT ON COLUMN sales.received_at IS 'When the record that caused this revision reached Kafka.';
COMMENT ON COLUMN sales.processed_at IS 'When this revision was decided.';
COMMENT ON COLUMN sales.recorded_at IS 'When this row was written; minus received_at = the latency.';
COMMENT ON COLUMN sales.document IS 'The whole sale event, as it stands on the topic, text uncut.';

CREATE TABLE sale_lines (
    sale_id     uuid    NOT NULL,
    position    integer NOT NULL,
    store_id    text    NOT NULL,
    line_id     text    NOT NULL,
    sku         text    NOT NULL,
    name        text    NOT NULL,
    product_id  text,
    tracked     boolean NOT NULL,
    quantity    numeric NOT NULL,
    price       numeric NOT NULL,
    backordered numeric NOT NULL,
    unallocated numeric NOT NULL,
    fulfilled   numeric NOT NULL,
    cancelled   numeric NOT NULL,
    returned    numeric NOT NULL,
    -- The lines of a sale, in order.
    PRIMARY KEY (sale_id, position)
);
-- "Which sales had this SKU?"
CREATE INDEX sale_lines_sku ON sale_lines (store_id, sku);

COMMENT ON TABLE sale_lines IS 'The lines of each sale at its latest revision. Which outlet has what of a line: fulfillment_lines.';
COMMENT ON COLUMN sale_lines.sale_id IS 'Sale that the line belongs to.';
COMMENT ON COLUMN sale_lines.position IS 'Place of the line within the sale, from 0.';
COMMENT ON COLUMN sale_lines.store_id IS 'Store of the sale.';
COMMENT ON COLUMN sale_lines.line_id IS 'The line''s id in the online order.';
COMMENT ON COLUMN sale_lines.sku IS 'SKU as ordered (at most 400 characters here; whole in sales.document).';
COMMENT ON COLUMN sale_lines.name IS 'Name of the item as ordered.';
COMMENT ON COLUMN sale_lines.product_id IS 'Product of the point of sale; empty when none has this SKU, and for bundles.';
COMMENT ON COLUMN sale_lines.tracked IS 'Whether the line moves stock; digital and gift-card lines do not.';
COMMENT ON COLUMN sale_lines.quantity IS 'Quantity ordered.';
COMMENT ON COLUMN sale_lines.price IS 'Price of one piece.';
COMMENT ON COLUMN sale_lines.backordered IS 'Part of the quantity put on an outlet that did not have it.';
COMMENT ON COLUMN sale_lines.unallocated IS 'Open part of the quantity that no outlet has yet.';
COMMENT ON COLUMN sale_lines.fulfilled IS 'Part of the quantity that was handed over.';
COMMENT ON COLUMN sale_lines.cancelled IS 'Part of the quantity that was cancelled.';
COMMENT ON COLUMN sale_lines.returned IS 'Part of the fulfilled quantity that came back.';

CREATE TABLE sale_payments (
    sale_id        uuid        NOT NULL,
    position       integer     NOT NULL,
    store_id       text        NOT NULL,
    payment_id     text        NOT NULL,
    kind           text        NOT NULL,
    name           text        NOT NULL,
    processor      text,
    amount         numeric     NOT NULL,
    currency       text        NOT NULL,
    transaction_id text,
    taken_at       timestamptz NOT NULL,
    -- The payments of a sale, in order.
    PRIMARY KEY (sale_id, position)
);
-- "Payments by processor between two days."
CREATE INDEX sale_payments_taken ON sale_payments (store_id, taken_at);

COMMENT ON TABLE sale_payments IS 'The payments of each sale at its latest revision.';
COMMENT ON COLUMN sale_payments.sale_id IS 'Sale that was paid.';
COMMENT ON COLUMN sale_payments.position IS 'Place of the payment within the sale, from 0.';
COMMENT ON COLUMN sale_payments.store_id IS 'Store of the sale.';
COMMENT ON COLUMN sale_payments.payment_id IS 'Id of the payment.';
COMMENT ON COLUMN sale_payments.kind IS 'integrated, recorded, gift_card, store_credit, loyalty, rounding or pos.';
COMMENT ON COLUMN sale_payments.name IS 'Name that Sales history shows: the processor of an integrated payment.';
COMMENT ON COLUMN sale_payments.processor IS 'Payment processor, when one took the money.';
COMMENT ON COLUMN sale_payments.amount IS 'Amount; rounding may be negative.';
COMMENT ON COLUMN sale_payments.currency IS 'ISO 4217 code of the amount.';
COMMENT ON COLUMN sale_payments.transaction_id IS 'The processor''s id of the payment.';
COMMENT ON COLUMN sale_payments.taken_at IS 'When it was paid; the order''s own time when the store did not say.';

CREATE TABLE fulfillments (
    fulfillment_id uuid        PRIMARY KEY,
    sale_id        uuid        NOT NULL,
    store_id       text        NOT NULL,
    order_id       text        NOT NULL,
    outlet_id      text        NOT NULL,
    type           text        NOT NULL,
    state          text        NOT NULL,
    revision       integer     NOT NULL,
    event_time     timestamptz NOT NULL,
    received_at    timestamptz NOT NULL,
    processed_at   timestamptz NOT NULL
);
-- "Who fulfils this sale?"; views join sales by it.
CREATE INDEX fulfillments_sale ON fulfillments (sale_id);
-- "What has this outlet still to do, oldest first?" Only open ones: the index stays small.
CREATE INDEX fulfillments_open ON fulfillments (store_id, outlet_id, event_time)
    WHERE state IN ('new', 'in_progress', 'packed');

COMMENT ON TABLE fulfillments IS 'What an outlet has to pick, pack and hand over for a sale: one row per sale, outlet and type, at its latest revision.';
COMMENT ON COLUMN fulfillments.fulfillment_id IS 'Id of the fulfilment: UUIDv5 of sale, outlet and type.';
COMMENT ON COLUMN fulfillments.sale_id IS 'Sale that is fulfilled; its row may come later than this one.';
COMMENT ON COLUMN fulfillments.store_id IS 'Store of the sale.';
COMMENT ON COLUMN fulfillments.order_id IS 'The online order''s id.';
COMMENT ON COLUMN fulfillments.outlet_id IS 'Outlet that fulfils.';
COMMENT ON COLUMN fulfillments.type IS 'PICKUP or DISPATCH.';
COMMENT ON COLUMN fulfillments.state IS 'new, in_progress, packed, fulfilled or cancelled.';
COMMENT ON COLUMN fulfillments.revision IS 'Counts the changes of this fulfilment: 1, 2, 3 ….';
COMMENT ON COLUMN fulfillments.event_time IS 'When this revision''s change happened at its source.';
COMMENT ON COLUMN fulfillments.received_at IS 'When the record that caused this revision reached Kafka.';
COMMENT ON COLUMN fulfillments.processed_at IS 'When this revision was decided.';

CREATE TABLE fulfillment_lines (
    fulfillment_id uuid    NOT NULL,
    position       integer NOT NULL,
    line_id        text    NOT NULL,
    sku            text    NOT NULL,
    product_id     text,
    quantity       numeric NOT NULL,
    backordered    numeric NOT NULL,
    picked         numeric NOT NULL,
    packed         numeric NOT NULL,
    fulfilled      numeric NOT NULL,
    -- The lines of a fulfilment, in order.
    PRIMARY KEY (fulfillment_id, position)
);

COMMENT ON TABLE fulfillment_lines IS 'The lines of each fulfilment at its latest revision; parts of a bundle are lines of their own.';
COMMENT ON COLUMN fulfillment_lines.fulfillment_id IS 'Fulfilment that the line belongs to.';
COMMENT ON COLUMN fulfillment_lines.position IS 'Place of the line within the fulfilment, from 0.';
COMMENT ON COLUMN fulfillment_lines.line_id IS 'Line of the sale (sale_lines.line_id).';
COMMENT ON COLUMN fulfillment_lines.sku IS 'SKU to pick (at most 400 characters here).';
COMMENT ON COLUMN fulfillment_lines.product_id IS 'Product of the point of sale to pick.';
COMMENT ON COLUMN fulfillment_lines.quantity IS 'Quantity asked of the outlet.';
COMMENT ON COLUMN fulfillment_lines.backordered IS 'Part of the quantity that the outlet did not have.';
COMMENT ON COLUMN fulfillment_lines.picked IS 'Quantity picked so far.';
COMMENT ON COLUMN fulfillment_lines.packed IS 'Quantity packed so far.';
COMMENT ON COLUMN fulfillment_lines.fulfilled IS 'Quantity handed over so far.';

CREATE TABLE stock_movements (
    store_id         text        NOT NULL,
    product_id       text        NOT NULL,
    outlet_id        text        NOT NULL,
    revision         integer     NOT NULL,
    kind             text        NOT NULL,
    cause            text        NOT NULL,
    sku              text        NOT NULL,
    on_hand          numeric     NOT NULL,
    allocated        numeric     NOT NULL,
    awaiting         numeric     NOT NULL,
    on_hand_after    numeric     NOT NULL,
    allocated_after  numeric     NOT NULL,
    awaiting_after   numeric     NOT NULL,
    sale_id          uuid,
    order_id         text,
    line_id          text,
    event_id         text        NOT NULL,
    ordinal          integer     NOT NULL,
    source_topic     text        NOT NULL,
    source_partition integer     NOT NULL,
    source_offset    bigint      NOT NULL,
    event_time       timestamptz NOT NULL,
    received_at      timestamptz NOT NULL,
    processed_at     timestamptz NOT NULL,
    -- "Why is this level 47?": all movements of a level, in order. Also what refuses a movement twice.
    PRIMARY KEY (store_id, product_id, outlet_id, revision)
);
-- "What did this order do to the stock?"
CREATE INDEX stock_movements_order ON stock_movements (store_id, order_id) WHERE order_id IS NOT NULL;

COMMENT ON TABLE stock_movements IS 'Every change of a stock level, never changed itself. The sums over a level''s movements are the level.';
COMMENT ON COLUMN stock_movements.store_id IS 'Store.';
COMMENT ON COLUMN stock_movements.product_id IS 'Product of the point of sale.';
COMMENT ON COLUMN stock_movements.outlet_id IS 'Outlet.';
COMMENT ON COLUMN stock_movements.revision IS 'Counts the movements of this level: 1, 2, 3 … without gaps.';
COMMENT ON COLUMN stock_movements.kind IS 'counted, allocated, released, fulfilled or returned.';
COMMENT ON COLUMN stock_movements.cause IS 'What led to it: an order, a count, a fulfilment, a return, ….';
COMMENT ON COLUMN stock_movements.sku IS 'The product''s SKU at the time (at most 400 characters here).';
COMMENT ON COLUMN stock_movements.on_hand IS 'Change of on hand, signed.';
COMMENT ON COLUMN stock_movements.allocated IS 'Change of allocated, signed.';
COMMENT ON COLUMN stock_movements.awaiting IS 'Change of awaiting count, signed.';
COMMENT ON COLUMN stock_movements.on_hand_after IS 'On hand once the change is made.';
COMMENT ON COLUMN stock_movements.allocated_after IS 'Allocated once the change is made.';
COMMENT ON COLUMN stock_movements.awaiting_after IS 'Awaiting count once the change is made.';
COMMENT ON COLUMN stock_movements.sale_id IS 'Sale behind it, if any.';
COMMENT ON COLUMN stock_movements.order_id IS 'Online order behind it, if any.';
COMMENT ON COLUMN stock_movements.line_id IS 'Line of the sale behind it, if any.';
COMMENT ON COLUMN stock_movements.event_id IS 'Event that carried it; the movements of one cause share it.';
COMMENT ON COLUMN stock_movements.ordinal IS 'Place within its event, from 0.';
COMMENT ON COLUMN stock_movements.source_topic IS 'Topic of the record that caused it.';
COMMENT ON COLUMN stock_movements.source_partition IS 'Partition of the record that caused it.';
COMMENT ON COLUMN stock_movements.source_offset IS 'Offset of the record that caused it.';
COMMENT ON COLUMN stock_movements.event_time IS 'When the change happened at its source.';
COMMENT ON COLUMN stock_movements.received_at IS 'When the record that caused it reached Kafka.';
COMMENT ON COLUMN stock_movements.processed_at IS 'When it was decided.';

CREATE TABLE stock_levels (
    store_id   text        NOT NULL,
    product_id text        NOT NULL,
    outlet_id  text        NOT NULL,
    sku        text        NOT NULL,
    revision   integer     NOT NULL,
    on_hand    numeric     NOT NULL,
    allocated  numeric     NOT NULL,
    awaiting   numeric     NOT NULL,
    event_time timestamptz NOT NULL,
    -- A product's levels over the outlets.
    PRIMARY KEY (store_id, product_id, outlet_id)
) WITH (fillfactor = 50);
-- fillfactor: levels change all the time; with room on the page a change touches no index.

-- "How many of this SKU are where?"
CREATE INDEX stock_levels_sku ON stock_levels (store_id, sku);

COMMENT ON TABLE stock_levels IS 'The stock level of each product at each outlet after its latest movement. Available = on_hand - allocated - awaiting - the outlet''s safety stock.';
COMMENT ON COLUMN stock_levels.store_id IS 'Store.';
COMMENT ON COLUMN stock_levels.product_id IS 'Product of the point of sale.';
COMMENT ON COLUMN stock_levels.outlet_id IS 'Outlet.';
COMMENT ON COLUMN stock_levels.sku IS 'The product''s SKU at its latest movement (at most 400 characters here).';
COMMENT ON COLUMN stock_levels.revision IS 'Revision of its latest movement.';
COMMENT ON COLUMN stock_levels.on_hand IS 'Quantity that the point of sale counts.';
COMMENT ON COLUMN stock_levels.allocated IS 'Quantity held for open fulfilments.';
COMMENT ON COLUMN stock_levels.awaiting IS 'Quantity handed over but not yet shown by a count.';
COMMENT ON COLUMN stock_levels.event_time IS 'When its latest movement happened at its source.';

CREATE TABLE customers (
    store_id     text        NOT NULL,
    customer_id  text        NOT NULL,
    revision     integer     NOT NULL,
    origin       text        NOT NULL,
    email        text,
    name         text        NOT NULL,
    first_name   text,
    last_name    text,
    created_at   timestamptz,
    deleted      boolean     NOT NULL,
    version      bigint      NOT NULL,
    replaced_by  text,
    duplicate_of text,
    event_time   timestamptz NOT NULL,
    received_at  timestamptz NOT NULL,
    processed_at timestamptz NOT NULL,
    PRIMARY KEY (store_id, customer_id)
);
-- "Who is this e-mail?"
CREATE INDEX customers_email ON customers (store_id, email);

COMMENT ON TABLE customers IS 'The customers of each store, from the point of sale or made from an order, at their latest revision.';
COMMENT ON COLUMN customers.store_id IS 'Store.';
COMMENT ON COLUMN customers.customer_id IS 'Id of the profile: the point of sale''s own, or a UUIDv5 of store and e-mail.';
COMMENT ON COLUMN customers.revision IS 'Counts the changes of this customer: 1, 2, 3 ….';
COMMENT ON COLUMN customers.origin IS 'pos: a profile of the point of sale; ecom: made from an order.';
COMMENT ON COLUMN customers.email IS 'E-mail, normalised (at most 400 characters here).';
COMMENT ON COLUMN customers.name IS 'Name; the e-mail where no name was given.';
COMMENT ON COLUMN customers.first_name IS 'First name, if known.';
COMMENT ON COLUMN customers.last_name IS 'Last name, if known.';
COMMENT ON COLUMN customers.created_at IS 'When the profile came into being.';
COMMENT ON COLUMN customers.deleted IS 'Whether the point of sale deleted the profile.';
COMMENT ON COLUMN customers.version IS 'The point of sale''s version of the profile; 0 for made ones.';
COMMENT ON COLUMN customers.replaced_by IS 'Profile that took over this made one.';
COMMENT ON COLUMN customers.duplicate_of IS 'Profile with the same e-mail that is used instead.';
COMMENT ON COLUMN customers.event_time IS 'When this revision''s change happened at its source.';
COMMENT ON COLUMN customers.received_at IS 'When the record that caused this revision reached Kafka.';
COMMENT ON COLUMN customers.processed_at IS 'When this revision was decided.';

CREATE TABLE exceptions (
    exception_id uuid        PRIMARY KEY,
    store_id     text        NOT NULL,
    kind         text        NOT NULL,
    subject      text        NOT NULL,
    detail       text        NOT NULL,
    open         boolean     NOT NULL,
    revision     integer     NOT NULL,
    opened_at    timestamptz NOT NULL,
    closed_at    timestamptz,
    order_id     text,
    sale_id      uuid,
    event_time   timestamptz NOT NULL,
    received_at  timestamptz NOT NULL,
    processed_at timestamptz NOT NULL
);
-- "What needs a person now?" Only open ones: the index stays small.
CREATE INDEX exceptions_open ON exceptions (store_id, opened_at) WHERE open;
-- "What was wrong with this order?"
CREATE INDEX exceptions_order ON exceptions (store_id, order_id) WHERE order_id IS NOT NULL;

COMMENT ON TABLE exceptions IS 'What needs a person, and what no longer does: each opens and closes by itself.';
COMMENT ON COLUMN exceptions.exception_id IS 'Id: UUIDv5 of store, kind and subject.';
COMMENT ON COLUMN exceptions.store_id IS 'Store.';
COMMENT ON COLUMN exceptions.kind IS 'backordered, unknown_sku, waiting_for_link, ….';
COMMENT ON COLUMN exceptions.subject IS 'What it is about within the store: an order, order/line, a customer.';
COMMENT ON COLUMN exceptions.detail IS 'In words, without personal data.';
COMMENT ON COLUMN exceptions.open IS 'Whether it still needs a person.';
COMMENT ON COLUMN exceptions.revision IS 'Counts its changes: it may open again later.';
COMMENT ON COLUMN exceptions.opened_at IS 'When it opened.';
COMMENT ON COLUMN exceptions.closed_at IS 'When it closed.';
COMMENT ON COLUMN exceptions.order_id IS 'Online order that it is about, if any.';
COMMENT ON COLUMN exceptions.sale_id IS 'Sale that it is about, if any.';
COMMENT ON COLUMN exceptions.event_time IS 'When its latest change happened at its source.';
COMMENT ON COLUMN exceptions.received_at IS 'When the record that caused its latest change reached Kafka.';
COMMENT ON COLUMN exceptions.processed_at IS 'When its latest change was decided.';

CREATE TABLE dead_letters (
    dead_letter_id   text        PRIMARY KEY,
    found_by         text        NOT NULL,
    reason           text        NOT NULL,
    detail           text        NOT NULL,
    source_topic     text        NOT NULL,
    source_partition integer     NOT NULL,
    source_offset    bigint      NOT NULL,
    part             integer,
    store_id         text,
    order_id         text,
    record_time      timestamptz NOT NULL,
    processed_at     timestamptz NOT NULL,
    traceback        text,
    head             bytea       NOT NULL,
    length           bigint      NOT NULL,
    sha256           text        NOT NULL,
    complete         boolean     NOT NULL,
    recorded_at      timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- "What was refused lately?"
CREATE INDEX dead_letters_processed ON dead_letters (processed_at);

COMMENT ON TABLE dead_letters IS 'Records that were refused, with the reason and where they stand in the log.';
COMMENT ON COLUMN dead_letters.dead_letter_id IS 'Id of the letter.';
COMMENT ON COLUMN dead_letters.found_by IS 'Worker that refused the record: stock (inbound) or history (an event that cannot be a row).';
COMMENT ON COLUMN dead_letters.reason IS 'Code of the reason.';
COMMENT ON COLUMN dead_letters.detail IS 'The field and the value, or the error, in words.';
COMMENT ON COLUMN dead_letters.source_topic IS 'Topic of the record.';
COMMENT ON COLUMN dead_letters.source_partition IS 'Partition of the record.';
COMMENT ON COLUMN dead_letters.source_offset IS 'Offset of the record.';
COMMENT ON COLUMN dead_letters.part IS 'Which order within a search envelope, from 0.';
COMMENT ON COLUMN dead_letters.store_id IS 'Store, as far as the record''s key tells it.';
COMMENT ON COLUMN dead_letters.order_id IS 'Order, as far as the record tells it.';
COMMENT ON COLUMN dead_letters.record_time IS 'Kafka''s time of the record.';
COMMENT ON COLUMN dead_letters.processed_at IS 'When it was refused.';
COMMENT ON COLUMN dead_letters.traceback IS 'Where in the program, when it was a fault of ours.';
COMMENT ON COLUMN dead_letters.head IS 'The record''s first bytes.';
COMMENT ON COLUMN dead_letters.length IS 'Length of the whole record, in bytes.';
COMMENT ON COLUMN dead_letters.sha256 IS 'SHA-256 of the whole record, in hexadecimal.';
COMMENT ON COLUMN dead_letters.complete IS 'Whether head is the whole record.';
COMMENT ON COLUMN dead_letters.recorded_at IS 'When this row was written.';

CREATE TABLE progress (
    consumer    text        NOT NULL,
    topic       text        NOT NULL,
    partition   integer     NOT NULL,
    next_offset bigint      NOT NULL,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, topic, partition)
) WITH (fillfactor = 10);
-- fillfactor: a few rows, each changed by every transaction.

COMMENT ON TABLE progress IS 'How far each topic has been written here. It changes in the same transaction as the rows: the history worker starts from it, not from Kafka''s committed offsets.';
COMMENT ON COLUMN progress.consumer IS 'Consumer group of the history worker.';
COMMENT ON COLUMN progress.topic IS 'Topic, with its prefix.';
COMMENT ON COLUMN progress.partition IS 'Partition.';
COMMENT ON COLUMN progress.next_offset IS 'Offset of the next record to write.';
COMMENT ON COLUMN progress.updated_at IS 'When it last moved.';

CREATE VIEW open_orders AS
SELECT s.store_id,
       s.order_id,
       s.sale_id,
       s.state,
       s.paid,
       s.currency,
       s.total,
       s.placed_at,
       coalesce(f.outlets, '{}') AS outlets,
       coalesce(f.open_fulfillments, 0) AS open_fulfillments
FROM sales AS s
LEFT JOIN LATERAL (
    SELECT array_agg(DISTINCT outlet_id ORDER BY outlet_id) AS outlets, count(*) AS open_fulfillments
    FROM fulfillments
    WHERE sale_id = s.sale_id AND state IN ('new', 'in_progress', 'packed')
) AS f ON true
WHERE s.state IN ('parked', 'pending');

COMMENT ON VIEW open_orders IS 'Sales that are neither closed nor voided, with the outlets that still have work to do.';

CREATE VIEW sales_by_day AS
SELECT store_id,
       (placed_at AT TIME ZONE 'UTC')::date AS day,
       currency,
       count(*) FILTER (WHERE state <> 'voided') AS sales,
       count(*) FILTER (WHERE state = 'voided') AS voided,
       coalesce(sum(total) FILTER (WHERE state <> 'voided'), 0) AS total,
       coalesce(sum(amount_paid) FILTER (WHERE state <> 'voided'), 0) AS amount_paid,
       sum(refunded) AS refunded
FROM sales
GROUP BY store_id, day, currency;

COMMENT ON VIEW sales_by_day IS 'Number and value of sales per store, day (UTC) and currency; amounts leave voided sales out, refunds do not.';

CREATE VIEW payments_by_day AS
SELECT store_id,
       (taken_at AT TIME ZONE 'UTC')::date AS day,
       kind,
       name,
       currency,
       count(*) AS payments,
       sum(amount) AS amount
FROM sale_payments
GROUP BY store_id, day, kind, name, currency;

COMMENT ON VIEW payments_by_day IS 'Payments per store, day (UTC), kind and name; an integrated payment''s name is its processor.';

CREATE VIEW stock_by_sku AS
SELECT store_id,
       sku,
       product_id,
       count(*) AS outlets,
       sum(on_hand) AS on_hand,
       sum(allocated) AS allocated,
       sum(awaiting) AS awaiting,
       sum(on_hand - allocated - awaiting) AS available
FROM stock_levels
GROUP BY store_id, sku, product_id;

COMMENT ON VIEW stock_by_sku IS 'Stock over all outlets, connected or not; available is before safety stock.';
