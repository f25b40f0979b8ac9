-- Corrections: movements that an operator's order makes. They have the columns of any other, so only what the
-- columns are said to hold changes.

COMMENT ON COLUMN stock_movements.kind IS 'counted, allocated, released, acknowledged, fulfilled, returned, or corrected by an operator. Only counts and corrections move on_hand.';
COMMENT ON COLUMN stock_movements.quantity IS 'How many pieces were allocated, released, acknowledged, fulfilled or returned, whether that moves a level or not; 0 of a count and of a correction.';
COMMENT ON COLUMN stock_movements.source_topic IS 'Topic of the record that caused it; of a correction stock.corrections, where it says who and why.';
COMMENT ON COLUMN stock_levels.on_hand IS 'Quantity that the point of sale counts, or that a correction has set since.';
