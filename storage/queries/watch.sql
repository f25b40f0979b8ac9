-- How the history and its database are, for those who watch.

-- name: count_exceptions
SELECT kind, count(*) FROM exceptions WHERE open GROUP BY kind ORDER BY count(*) DESC, kind;

-- name: count_letters
-- By reason: all, those of the last day, and those that nobody has dealt with.
SELECT reason, count(*), count(*) FILTER (WHERE recorded_at >= now() - interval '24 hours'), count(*)
FROM dead_letters
GROUP BY reason
ORDER BY count(*) DESC, reason;

-- name: count_letters_dealt_with
-- The same, where operators may have sent letters again or set them aside.
SELECT reason, count(*), count(*) FILTER (WHERE recorded_at >= now() - interval '24 hours'),
    count(*) FILTER (WHERE NOT EXISTS (
        SELECT FROM tillstream_operations.redrives AS r
        WHERE r.dead_letter_id = l.dead_letter_id AND r.state <> 'not_sent'
    ) AND NOT EXISTS (
        SELECT FROM tillstream_operations.discards AS d
        WHERE d.dead_letter_id = l.dead_letter_id AND d.restored_at IS NULL
    ))
FROM dead_letters AS l
GROUP BY reason
ORDER BY count(*) DESC, reason;

-- name: show_replay
SELECT replay_id, state, offsets_done, offsets_due, moved_at
FROM tillstream_operations.replays
WHERE state IN ('running', 'cancelled', 'failed', 'ready');

-- name: may_read_operations
-- Whether these tables of what operators did are there, and this user may read them.
SELECT count(*) = cardinality($1::text[]) AND bool_and(has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'))
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = 'tillstream_operations' AND c.relname = ANY ($1);

-- name: list_sizes
-- A table that is kept in months counts as one.
SELECT r.relname, sum(pg_total_relation_size(c.oid))::bigint, sum(greatest(c.reltuples, 0))::bigint
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_class AS r ON r.oid = coalesce(pg_partition_root(c.oid)::oid, c.oid)
WHERE n.nspname = current_schema() AND c.relkind = 'r'
GROUP BY r.relname
ORDER BY 2 DESC, 1;

-- name: show_server
SELECT clock_timestamp(), pg_database_size(current_database()),
    current_setting('default_transaction_read_only')::boolean OR pg_is_in_recovery();
