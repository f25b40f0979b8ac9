-- Who changed what by hand, when and why. Kept apart from the history, which is made anew by replay.

CREATE TABLE audit (
    audit_id   bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    action     text        NOT NULL,
    operator   text        NOT NULL,
    reason     text        NOT NULL,
    scope      jsonb       NOT NULL,
    state      text        NOT NULL CHECK (state IN ('running', 'done', 'failed', 'cancelled')),
    result     jsonb       NOT NULL,
    error      text,
    begun_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at   timestamptz,
    CHECK ((state = 'running') = (ended_at IS NULL))
);
-- What happened last?
CREATE INDEX audit_begun ON audit (begun_at DESC);
COMMENT ON TABLE audit IS 'Every command that changed something, or tried to.';
COMMENT ON COLUMN audit.audit_id IS 'Number of the entry.';
COMMENT ON COLUMN audit.action IS 'The command, as "dlq redrive".';
COMMENT ON COLUMN audit.operator IS 'Who gave it: --who, or the user and host that it ran under.';
COMMENT ON COLUMN audit.reason IS 'Why, in the operator''s words (--why).';
COMMENT ON COLUMN audit.scope IS 'What it was to act on: the command''s range and filters.';
COMMENT ON COLUMN audit.state IS 'running (or its process was killed), done, failed, cancelled.';
COMMENT ON COLUMN audit.result IS 'What it did, in numbers.';
COMMENT ON COLUMN audit.error IS 'Why it failed.';
COMMENT ON COLUMN audit.begun_at IS 'When it began.';
COMMENT ON COLUMN audit.ended_at IS 'When it ended; null while it runs.';
