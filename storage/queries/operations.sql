-- What operators changed. Names stand with their schema, for the session may be on another one.

-- name: begin_audit
INSERT INTO tillstream_operations.audit (action, operator, reason, scope, state, result)
VALUES ($1, $2, $3, $4, 'running', '{}')
RETURNING audit_id;

-- name: end_audit
UPDATE tillstream_operations.audit
SET state = $2, result = $3, error = $4, ended_at = clock_timestamp()
WHERE audit_id = $1;

-- name: list_audit
SELECT audit_id, action, operator, reason, scope::text, state, result::text, error, begun_at, ended_at
FROM tillstream_operations.audit
WHERE ($1::text IS NULL OR action = $1 OR starts_with(action, $1 || ' '))
  AND ($2::timestamptz IS NULL OR begun_at >= $2)
ORDER BY audit_id DESC
LIMIT $3;

-- name: turn_holder
SELECT a.application_name, a.backend_start
FROM pg_locks AS l
JOIN pg_stat_activity AS a USING (pid)
WHERE l.locktype = 'advisory'
  AND l.granted
  AND l.objsubid = 2
  AND (l.classid::bigint, l.objid::bigint) = ($1::bigint, $2::bigint)
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database());
