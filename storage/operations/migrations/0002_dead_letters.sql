-- Dead letters that were sent again or set aside, and by whom.

CREATE TABLE redrives (
    redrive_id     uuid        PRIMARY KEY,
    dead_letter_id text        NOT NULL,
    state          text        NOT NULL CHECK (state IN ('sending', 'sent', 'not_sent')),
    origin         text        NOT NULL CHECK (origin IN ('log', 'letter', 'file')),
    source         text        NOT NULL,
    topic          text        NOT NULL,
    partition      integer     NOT NULL,
    after_offset   bigint      NOT NULL,
    sent_offset    bigint,
    length         bigint      NOT NULL,
    sha256         text        NOT NULL,
    operator       text        NOT NULL,
    why            text        NOT NULL,
    begun_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at       timestamptz,
    CHECK ((state = 'sending') = (ended_at IS NULL)),
    CHECK ((state = 'sent') = (sent_offset IS NOT NULL))
);
-- A letter is sent again once: the letter that a second failure makes is another one.
CREATE UNIQUE INDEX redrives_once ON redrives (dead_letter_id) WHERE state <> 'not_sent';
-- "Which letter came back from this sending?"
CREATE UNIQUE INDEX redrives_sent ON redrives (topic, partition, sent_offset) WHERE state = 'sent';
-- "What did a run that was broken off leave open?"
CREATE INDEX redrives_open ON redrives (topic, partition) WHERE state = 'sending';

COMMENT ON TABLE redrives IS 'Dead letters whose records were sent again.';
COMMENT ON COLUMN redrives.redrive_id IS 'Id of the sending: the record''s header tillstream_redrive.';
COMMENT ON COLUMN redrives.dead_letter_id IS 'The letter; it may have been pruned since.';
COMMENT ON COLUMN redrives.state IS 'sending (or its process was killed: the next redrive finds out), sent, not_sent.';
COMMENT ON COLUMN redrives.origin IS 'Where the bytes came from: log (the record itself), letter (its copy), file (one given in its place).';
COMMENT ON COLUMN redrives.source IS 'Topic, partition and offset of the record that was refused: the header tillstream_redriven_from.';
COMMENT ON COLUMN redrives.topic IS 'Topic that it was sent to, without the prefix.';
COMMENT ON COLUMN redrives.partition IS 'Partition that it was sent to: that of its key.';
COMMENT ON COLUMN redrives.after_offset IS 'End of the partition before it was sent: it stands there or later.';
COMMENT ON COLUMN redrives.sent_offset IS 'Offset that it has now.';
COMMENT ON COLUMN redrives.length IS 'Bytes that were sent.';
COMMENT ON COLUMN redrives.sha256 IS 'SHA-256 of the bytes that were sent, in hexadecimal.';
COMMENT ON COLUMN redrives.operator IS 'Who sent it.';
COMMENT ON COLUMN redrives.why IS 'Why, in the operator''s words.';
COMMENT ON COLUMN redrives.begun_at IS 'When it was noted, before it was sent.';
COMMENT ON COLUMN redrives.ended_at IS 'When it was known whether it was sent.';

CREATE TABLE discards (
    dead_letter_id text        NOT NULL,
    discarded_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    operator       text        NOT NULL,
    why            text        NOT NULL,
    restored_at    timestamptz,
    restored_by    text,
    PRIMARY KEY (dead_letter_id, discarded_at),
    CHECK ((restored_at IS NULL) = (restored_by IS NULL))
);
CREATE UNIQUE INDEX discards_once ON discards (dead_letter_id) WHERE restored_at IS NULL;

COMMENT ON TABLE discards IS 'Dead letters that were set aside: nothing is to be done about them.';
COMMENT ON COLUMN discards.dead_letter_id IS 'The letter; it may have been pruned since.';
COMMENT ON COLUMN discards.discarded_at IS 'When it was set aside.';
COMMENT ON COLUMN discards.operator IS 'Who did it.';
COMMENT ON COLUMN discards.why IS 'Why, in the operator''s words.';
COMMENT ON COLUMN discards.restored_at IS 'When that was undone.';
COMMENT ON COLUMN discards.restored_by IS 'Who undid it.';
