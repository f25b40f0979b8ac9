-- Months of the tables that grow for ever: making, measuring and dropping them.

-- name: make_month
SELECT make_month($1::text::regclass, $2::date, $3::int);

-- name: list_months
-- The months of these tables that have a table of their own, and the rest of each, last.
SELECT p.relname,
       c.relname,
       to_date(substring(c.relname FROM '_(\d{4}_\d{2})$'), 'YYYY_MM'),
       pg_total_relation_size(c.oid)
FROM unnest($1::text[]) AS asked (name)
JOIN pg_class AS p ON p.oid = asked.name::regclass
JOIN pg_inherits AS i ON i.inhparent = p.oid
JOIN pg_class AS c ON c.oid = i.inhrelid
ORDER BY p.relname DESC, 3 NULLS LAST;

-- name: may_not_change
-- Of these tables, those that the user does not own, with their owners.
SELECT c.relname, pg_get_userbyid(c.relowner), current_user
FROM unnest($1::text[]) AS asked (name)
JOIN pg_class AS c ON c.oid = asked.name::regclass
WHERE NOT pg_has_role(c.relowner, 'USAGE');

-- name: who_holds
-- Who keeps others from changing a table, the longest first.
SELECT a.pid, a.application_name, a.usename, a.xact_start
FROM pg_locks AS l
JOIN pg_stat_activity AS a USING (pid)
WHERE l.locktype = 'relation'
  AND l.relation = ANY (ARRAY[$1::text::regclass, $2::text::regclass])
  AND l.granted
  AND l.pid <> pg_backend_pid()
ORDER BY a.xact_start
LIMIT 1;
