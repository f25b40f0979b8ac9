-- Replays: their range, how far they are, and the schemas that they write.

CREATE TABLE replays (
    replay_id        bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    state            text        NOT NULL
        CHECK (state IN ('running', 'cancelled', 'failed', 'ready', 'swapped', 'dropped')),
    scope            jsonb       NOT NULL,
    spans            jsonb       NOT NULL,
    gaps             jsonb       NOT NULL,
    offsets_due      bigint      NOT NULL,
    offsets_done     bigint      NOT NULL DEFAULT 0,
    records          bigint      NOT NULL DEFAULT 0,
    busy_s           double precision NOT NULL DEFAULT 0,
    cancel_requested boolean     NOT NULL DEFAULT false,
    kept_schema      text,
    error            text,
    begun_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    moved_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    swapped_at       timestamptz
);
-- There is one shadow schema: one replay has it.
CREATE UNIQUE INDEX replays_shadow ON replays ((true)) WHERE state IN ('running', 'cancelled', 'failed', 'ready');

COMMENT ON TABLE replays IS 'Every replay of the topics into a shadow of the history, and what became of it.';
COMMENT ON COLUMN replays.replay_id IS 'Number of the replay.';
COMMENT ON COLUMN replays.state IS 'running (or its process was killed: nobody has the turn); cancelled and failed: it may be resumed or dropped; ready: the shadow is whole, as far as was asked; swapped: it is the history, and what was before is in kept_schema; dropped.';
COMMENT ON COLUMN replays.scope IS 'What was asked: store, order, times, offsets; all null for all history.';
COMMENT ON COLUMN replays.spans IS 'What is read, by topic and partition: the first offset, and the one after the last.';
COMMENT ON COLUMN replays.gaps IS 'What the log no longer had, and the operator accepted.';
COMMENT ON COLUMN replays.offsets_due IS 'Offsets between the beginnings and the ends of all spans.';
COMMENT ON COLUMN replays.offsets_done IS 'Of these, how many have been gone through.';
COMMENT ON COLUMN replays.records IS 'Records that were written to the shadow.';
COMMENT ON COLUMN replays.busy_s IS 'Seconds of work, over all runs; with offsets_done, the rate.';
COMMENT ON COLUMN replays.cancel_requested IS 'Someone asked it to stop: it does so at its next step.';
COMMENT ON COLUMN replays.kept_schema IS 'Where the history from before the swap is, until it is dropped or swapped back.';
COMMENT ON COLUMN replays.error IS 'Why it failed.';
COMMENT ON COLUMN replays.begun_at IS 'When it began.';
COMMENT ON COLUMN replays.moved_at IS 'When it last went on.';
COMMENT ON COLUMN replays.swapped_at IS 'When it became the history.';
