-- How far each topic has been written.

-- name: read_positions
SELECT topic, partition, next_offset
FROM progress
JOIN unnest($2::text[], $3::int[]) AS asked (topic, partition) USING (topic, partition)
WHERE consumer = $1;

-- name: advance
-- Moves only rows that stand where the writer believes; a row that another worker moved is not touched.
UPDATE progress AS p
SET next_offset = n.next_offset, updated_at = now()
FROM unnest($3::text[], $4::bigint[], $5::bigint[]) AS n (topic, expected, next_offset)
WHERE p.consumer = $1 AND p.partition = $2 AND p.topic = n.topic AND p.next_offset = n.expected
RETURNING p.topic;

-- name: begin
INSERT INTO progress (consumer, partition, topic, next_offset)
SELECT $1, $2, n.topic, n.next_offset
FROM unnest($3::text[], $4::bigint[]) AS n (topic, next_offset)
ON CONFLICT DO NOTHING
RETURNING topic;

-- name: end_other_sessions
-- A stopped process keeps its transaction, and with it the lane's progress rows, until its session ends.
SELECT pg_terminate_backend(pid)
FROM pg_stat_activity
WHERE application_name = current_setting('application_name') AND pid <> pg_backend_pid() AND usename = current_user;
