-- Replays: their book, and the schemas that they write. {schema} is the name of such a schema.

-- name: seed
INSERT INTO {schema}.progress (consumer, topic, partition, next_offset)
SELECT $1, n.topic, n.partition, n.next_offset
FROM unnest($2::text[], $3::int[], $4::bigint[]) AS n (topic, partition, next_offset)
ON CONFLICT DO NOTHING;

-- name: positions
SELECT topic, partition, next_offset FROM {schema}.progress WHERE consumer = $1;

-- name: size
SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint
FROM pg_class
WHERE relnamespace = to_regnamespace($1) AND relkind IN ('r', 'm');

-- name: begin
INSERT INTO tillstream_operations.replays (state, scope, spans, gaps, offsets_due)
VALUES ('running', $1, $2, $3, $4)
RETURNING replay_id;

-- name: resume
UPDATE tillstream_operations.replays
SET state = 'running', cancel_requested = false, error = NULL, moved_at = clock_timestamp()
WHERE replay_id = $1;

-- name: target
UPDATE tillstream_operations.replays
SET spans = $2, offsets_due = $3, offsets_done = $4, moved_at = clock_timestamp()
WHERE replay_id = $1;

-- name: move
UPDATE tillstream_operations.replays
SET offsets_done = offsets_done + $2,
    records = records + $3,
    busy_s = busy_s + $4,
    moved_at = clock_timestamp()
WHERE replay_id = $1
RETURNING cancel_requested;

-- name: end
UPDATE tillstream_operations.replays
SET state = $2, error = $3, cancel_requested = false, moved_at = clock_timestamp()
WHERE replay_id = $1;

-- name: ask_to_cancel
UPDATE tillstream_operations.replays
SET cancel_requested = true
WHERE state = 'running'
RETURNING replay_id;

-- name: swapped
UPDATE tillstream_operations.replays
SET state = 'swapped', kept_schema = $2, swapped_at = clock_timestamp(), moved_at = clock_timestamp()
WHERE replay_id = $1;

-- name: swapped_back
UPDATE tillstream_operations.replays
SET state = 'ready', kept_schema = NULL, swapped_at = NULL, moved_at = clock_timestamp()
WHERE replay_id = $1;

-- name: forget_kept
UPDATE tillstream_operations.replays SET kept_schema = NULL WHERE replay_id = $1;

-- name: list
SELECT replay_id, state, scope::text, spans::text, gaps::text, offsets_due, offsets_done, records, busy_s,
       cancel_requested, kept_schema, error, begun_at, moved_at, swapped_at
FROM tillstream_operations.replays
WHERE ($1::bigint IS NULL OR replay_id = $1)
ORDER BY replay_id DESC
LIMIT $2;

-- name: tables
SELECT c.relname AS name,
       array(
           SELECT a.attname::text
           FROM pg_attribute AS a
           WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
           ORDER BY a.attname
       ) AS columns,
       array(
           SELECT a.attname::text
           FROM pg_index AS i
           CROSS JOIN unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (attnum, place)
           JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.attnum
           WHERE i.indrelid = c.oid AND i.indisprimary
           ORDER BY k.place
       ) AS key
FROM pg_class AS c
WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
ORDER BY c.relname;

-- name: figures_by_day
SELECT day, name, unit, value
FROM (
    SELECT (placed_at AT TIME ZONE 'UTC')::date::text AS day,
           currency AS unit,
           count(*)::numeric AS sales,
           sum(total) AS total,
           sum(amount_paid) AS paid,
           sum(refunded) AS refunded,
           sum(tax) AS tax
    FROM sales
    GROUP BY 1, 2
) AS s
CROSS JOIN LATERAL (
    VALUES ('sales: number', sales), ('sales: total', total), ('sales: paid', paid),
           ('sales: refunded', refunded), ('sales: tax', tax)
) AS figure (name, value)
UNION ALL
SELECT (taken_at AT TIME ZONE 'UTC')::date::text, 'payments', currency, sum(amount)
FROM sale_payments
GROUP BY 1, 3
UNION ALL
SELECT (event_time AT TIME ZONE 'UTC')::date::text, 'refunds ' || state, currency, sum(amount)
FROM refunds
GROUP BY 1, 2, 3
UNION ALL
SELECT day, name, '', value
FROM (
    SELECT (s.placed_at AT TIME ZONE 'UTC')::date::text AS day,
           sum(l.quantity) AS ordered,
           sum(l.fulfilled) AS fulfilled,
           sum(l.cancelled) AS cancelled,
           sum(l.returned) AS returned
    FROM sale_lines AS l
    JOIN sales AS s USING (sale_id)
    GROUP BY 1
) AS q
CROSS JOIN LATERAL (
    VALUES ('quantity: ordered', ordered), ('quantity: fulfilled', fulfilled),
           ('quantity: cancelled', cancelled), ('quantity: returned', returned)
) AS figure (name, value)
UNION ALL
SELECT (event_time AT TIME ZONE 'UTC')::date::text, 'movements: ' || kind, '', sum(quantity)
FROM stock_movements
GROUP BY 1, 2;

-- name: figures_by_outlet
SELECT outlet_id, name, '' AS unit, value
FROM (
    SELECT f.outlet_id,
           count(DISTINCT f.fulfillment_id)::numeric AS number,
           sum(l.quantity) AS quantity,
           sum(l.fulfilled) AS fulfilled
    FROM fulfillments AS f
    LEFT JOIN fulfillment_lines AS l USING (fulfillment_id)
    GROUP BY 1
) AS f
CROSS JOIN LATERAL (
    VALUES ('fulfilments: number', number), ('fulfilments: quantity', coalesce(quantity, 0)),
           ('fulfilments: fulfilled', coalesce(fulfilled, 0))
) AS figure (name, value)
UNION ALL
SELECT coalesce(outlet_id, ''), 'refunds ' || state, currency, sum(amount)
FROM refunds
GROUP BY 1, 2, 3
UNION ALL
SELECT outlet_id, 'movements: ' || kind, '', sum(quantity)
FROM stock_movements
GROUP BY 1, 2
UNION ALL
SELECT outlet_id, name, '', value
FROM (
    SELECT outlet_id, sum(on_hand) AS on_hand, sum(allocated) AS allocated, sum(awaiting) AS awaiting
    FROM stock_levels
    GROUP BY 1
) AS s
CROSS JOIN LATERAL (
    VALUES ('stock: on hand', on_hand), ('stock: allocated', allocated), ('stock: awaiting count', awaiting)
) AS figure (name, value);

-- name: owner
SELECT pg_get_userbyid(nspowner)::text, nspowner = current_user::regrole
FROM pg_namespace
WHERE nspname = $1;

-- name: relations
-- Views too: whoever reads one is not to go on to the tables of another history.
SELECT format('%I.%I', nspname, relname)
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
ORDER BY c.relkind = 'v' DESC, c.relname;

-- name: older_snapshots
SELECT pid
FROM pg_stat_activity
WHERE datname = current_database()
  AND backend_type = 'client backend'
  AND pid <> pg_backend_pid()
  AND backend_xmin IS NOT NULL
  AND xact_start < $1
  -- A history worker that waits to write has not seen anything yet.
  AND pid NOT IN (
      SELECT pid
      FROM pg_locks
      WHERE NOT granted AND relation = to_regclass($2) AND mode = 'RowExclusiveLock' AND pid IS NOT NULL
  );

-- name: holders
SELECT a.pid, a.application_name, a.state, a.xact_start
FROM pg_stat_activity AS a
WHERE a.datname = current_database()
  AND a.pid <> pg_backend_pid()
  AND a.xact_start IS NOT NULL
  AND (
      (a.backend_type = 'client backend' AND a.backend_xmin IS NOT NULL AND a.xact_start < $2)
      OR a.pid IN (
          SELECT l.pid
          FROM pg_locks AS l
          JOIN pg_class AS c ON c.oid = l.relation
          WHERE l.granted AND c.relnamespace = to_regnamespace($1)
      )
  )
ORDER BY a.xact_start;

-- name: bonds_outside
WITH ours AS (
    SELECT oid FROM pg_class WHERE relnamespace = to_regnamespace($1)
)
SELECT DISTINCT format('%s %s', CASE v.relkind WHEN 'm' THEN 'materialised view' ELSE 'view' END, v.oid::regclass)
FROM pg_depend AS d
JOIN pg_rewrite AS r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
JOIN pg_class AS v ON v.oid = r.ev_class
WHERE d.refclassid = 'pg_class'::regclass
  AND d.refobjid IN (SELECT oid FROM ours)
  AND v.oid NOT IN (SELECT oid FROM ours)
UNION
SELECT format('foreign key %s of %s', conname, conrelid::regclass)
FROM pg_constraint
WHERE contype = 'f' AND confrelid IN (SELECT oid FROM ours) AND conrelid NOT IN (SELECT oid FROM ours)
UNION
SELECT format('function %s', p.oid::regprocedure)
FROM pg_depend AS d
JOIN pg_proc AS p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
WHERE d.refclassid = 'pg_class'::regclass
  AND d.refobjid IN (SELECT oid FROM ours)
  AND p.pronamespace <> to_regnamespace($1)
UNION
SELECT format('publication %s of %s', p.pubname, r.prrelid::regclass)
FROM pg_publication_rel AS r
JOIN pg_publication AS p ON p.oid = r.prpubid
WHERE r.prrelid IN (SELECT oid FROM ours)
UNION
SELECT format('publication %s of the schema', p.pubname)
FROM pg_publication_namespace AS n
JOIN pg_publication AS p ON p.oid = n.pnpubid
WHERE n.pnnspid = to_regnamespace($1)
ORDER BY 1;

-- name: extras
SELECT format(
    '%s %s',
    CASE c.relkind
        WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialised view' WHEN 'i' THEN 'index' WHEN 'I' THEN 'index'
        WHEN 'S' THEN 'sequence' WHEN 'f' THEN 'foreign table' ELSE 'table'
    END,
    c.relname
)
FROM pg_class AS c
WHERE c.relnamespace = to_regnamespace($1)
  AND c.relkind IN ('r', 'p', 'v', 'm', 'i', 'I', 'S', 'f')
  AND NOT c.relispartition
  AND NOT EXISTS (
      SELECT FROM pg_class AS o WHERE o.relnamespace = to_regnamespace($2) AND o.relname = c.relname
  )
UNION
SELECT format('function %s', p.oid::regprocedure)
FROM pg_proc AS p
WHERE p.pronamespace = to_regnamespace($1)
  AND NOT EXISTS (
      SELECT
      FROM pg_proc AS o
      WHERE o.pronamespace = to_regnamespace($2)
        AND (o.proname, o.proargtypes) = (p.proname, p.proargtypes)
  )
UNION
SELECT format('trigger %s of %s', t.tgname, c.relname)
FROM pg_trigger AS t
JOIN pg_class AS c ON c.oid = t.tgrelid
WHERE c.relnamespace = to_regnamespace($1)
  AND NOT t.tgisinternal
  AND t.tgparentid = 0
  AND NOT EXISTS (
      SELECT
      FROM pg_trigger AS ot
      JOIN pg_class AS o ON o.oid = ot.tgrelid
      WHERE o.relnamespace = to_regnamespace($2) AND o.relname = c.relname AND ot.tgname = t.tgname
  )
UNION
SELECT format('row policy %s of %s', p.polname, c.relname)
FROM pg_policy AS p
JOIN pg_class AS c ON c.oid = p.polrelid
WHERE c.relnamespace = to_regnamespace($1)
  AND NOT EXISTS (
      SELECT
      FROM pg_policy AS op
      JOIN pg_class AS o ON o.oid = op.polrelid
      WHERE o.relnamespace = to_regnamespace($2) AND o.relname = c.relname AND op.polname = p.polname
  )
ORDER BY 1;

-- name: grants
-- As statements: to whom what was given on $1, to be given on $2.
WITH given AS (
    SELECT 1 AS place, 'SCHEMA' AS kind, quote_ident($2) AS object, '' AS columns, nspowner AS owner, a.*
    FROM pg_namespace
    CROSS JOIN LATERAL aclexplode(nspacl) AS a
    WHERE nspname = $1
    UNION ALL
    SELECT 2, CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, format('%I.%I', $2::text, c.relname), '',
           c.relowner, a.*
    FROM pg_class AS c
    CROSS JOIN LATERAL aclexplode(c.relacl) AS a
    WHERE c.relnamespace = to_regnamespace($1) AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
      AND to_regclass(format('%I.%I', $2::text, c.relname)) IS NOT NULL
    UNION ALL
    SELECT 3, 'TABLE', format('%I.%I', $2::text, c.relname), format(' (%I)', t.attname), c.relowner, a.*
    FROM pg_class AS c
    JOIN pg_attribute AS t ON t.attrelid = c.oid AND t.attnum > 0 AND NOT t.attisdropped
    CROSS JOIN LATERAL aclexplode(t.attacl) AS a
    WHERE c.relnamespace = to_regnamespace($1) AND c.relkind IN ('r', 'p', 'v', 'm')
      AND to_regclass(format('%I.%I', $2::text, c.relname)) IS NOT NULL
    UNION ALL
    SELECT 3, 'FUNCTION', format('%I.%I(%s)', $2::text, p.proname, pg_get_function_identity_arguments(p.oid)), '',
           p.proowner, a.*
    FROM pg_proc AS p
    CROSS JOIN LATERAL aclexplode(p.proacl) AS a
    WHERE p.pronamespace = to_regnamespace($1)
      AND EXISTS (
          SELECT
          FROM pg_proc AS o
          WHERE o.pronamespace = to_regnamespace($2)
            AND (o.proname, o.proargtypes) = (p.proname, p.proargtypes)
      )
)
SELECT statement
FROM (
    SELECT place,
           format(
               'GRANT %s%s ON %s %s TO %s%s',
               privilege_type, columns, kind, object,
               CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
               CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
           ) AS statement
    FROM given
    WHERE grantee <> owner
    UNION ALL
    SELECT 4,
           format(
               'ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT %s ON %s TO %s%s',
               pg_get_userbyid(d.defaclrole), $2::text, a.privilege_type,
               CASE d.defaclobjtype
                   WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES'
               END,
               CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
               CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
           )
    FROM pg_default_acl AS d
    CROSS JOIN LATERAL aclexplode(d.defaclacl) AS a
    WHERE d.defaclnamespace = to_regnamespace($1) AND a.grantee <> d.defaclrole
) AS all_of_them
ORDER BY place, statement;

-- name: pruned
-- Until when months were let go, by what.
SELECT what, max(before)
FROM (
    SELECT (scope ->> 'before')::date AS before, unnest(
        CASE scope ->> 'what' WHEN 'all' THEN ARRAY['movements', 'dead_letters'] ELSE ARRAY[scope ->> 'what'] END
    ) AS what
    FROM tillstream_operations.audit
    WHERE action = 'history prune'
) AS prunes
GROUP BY what;

-- name: carry_letters
INSERT INTO {to}.dead_letters
SELECT * FROM {source}.dead_letters WHERE found_by = 'stock' AND ($1::timestamptz IS NULL OR processed_at <= $1)
ON CONFLICT DO NOTHING;

-- name: about_rows
-- As the statistics have it: about, and at once.
SELECT c.relname, greatest(0, sum(coalesce(p.reltuples, c.reltuples)))::bigint
FROM pg_class AS c
LEFT JOIN pg_inherits AS i ON i.inhparent = c.oid
LEFT JOIN pg_class AS p ON p.oid = i.inhrelid
WHERE c.relnamespace = to_regnamespace($1)
  AND c.relkind IN ('r', 'p')
  AND NOT c.relispartition
  AND c.relname NOT IN ('migrations', 'progress')
GROUP BY c.relname;
