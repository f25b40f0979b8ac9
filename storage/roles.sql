-- Least privilege: a role that writes the history (the history worker) and one that reads it (analysts).
--
-- Run it in the history's database as its owner or an administrator, after `tillstream db migrate`; it may be
-- run again, and must be after a migration that added tables if another user than the owner ran it. Then give the roles to the users who log in: GRANT tillstream_writer TO history_worker;
-- `tillstream db migrate` itself runs as the owner of the schema.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tillstream_writer') THEN
        CREATE ROLE tillstream_writer NOLOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tillstream_reader') THEN
        CREATE ROLE tillstream_reader NOLOGIN;
    END IF;
END
$$;

GRANT USAGE ON SCHEMA tillstream TO tillstream_writer, tillstream_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA tillstream TO tillstream_writer, tillstream_reader;
GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA tillstream TO tillstream_writer;
REVOKE INSERT, UPDATE, DELETE ON tillstream.migrations FROM tillstream_writer;
-- A table for each month, which is made as its owner: who writes rows owns none. The months themselves are
-- read and written through stock_movements and dead_letters, so nobody gets rights to them.
DO $$
DECLARE
    part regclass;
BEGIN
    IF to_regprocedure('tillstream.make_month(regclass, date, integer)') IS NOT NULL THEN
        GRANT EXECUTE ON FUNCTION tillstream.make_month(regclass, date, integer) TO tillstream_writer;
    END IF;
    FOR part IN
        SELECT inhrelid FROM pg_inherits
        WHERE inhparent IN ('tillstream.stock_movements'::regclass, 'tillstream.dead_letters'::regclass)
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM tillstream_writer, tillstream_reader', part);
    END LOOP;
END
$$;
-- The record's first bytes may hold names and addresses that are nobody's business in a report.
REVOKE SELECT ON tillstream.dead_letters FROM tillstream_reader;
GRANT SELECT (
    dead_letter_id, found_by, reason, source_topic, source_partition, source_offset, part, store_id,
    record_time, processed_at, length, sha256, complete, recorded_at
) ON tillstream.dead_letters TO tillstream_reader;
-- What later versions of the schema add.
ALTER DEFAULT PRIVILEGES IN SCHEMA tillstream GRANT SELECT ON TABLES TO tillstream_writer, tillstream_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA tillstream GRANT INSERT, UPDATE, DELETE ON TABLES TO tillstream_writer;

-- What operators did: those who run commands that change something need `tillstream_operator`.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tillstream_operator') THEN
        CREATE ROLE tillstream_operator NOLOGIN;
    END IF;
END
$$;
GRANT tillstream_writer TO tillstream_operator;
GRANT USAGE ON SCHEMA tillstream_operations TO tillstream_operator;
GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA tillstream_operations TO tillstream_operator;
REVOKE INSERT, UPDATE ON tillstream_operations.migrations FROM tillstream_operator;
ALTER DEFAULT PRIVILEGES IN SCHEMA tillstream_operations GRANT SELECT, INSERT, UPDATE ON TABLES TO tillstream_operator;
