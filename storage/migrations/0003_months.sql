-- Movements and dead letters by month, so that old ones go as whole months and the rest stays small.
--
-- Movements are kept by when they were decided: a level's revisions then lie in the months in their order, and
-- what is dropped is always the beginning of each level's story. Dead letters are kept by their record's time:
-- when they were refused is the clock of whoever refused them, and the same record would be in two months.
-- Both columns come with the event, so that a replay puts each row where it was.
--
-- Nothing here names a schema: a replay builds the same under another name and renames it.

CREATE FUNCTION make_month(parent regclass, month date, at_most integer) RETURNS boolean
LANGUAGE plpgsql
-- As the tables' owner, for who writes rows may not make tables; with a path that the caller has no say in.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
-- Readers of the whole table hold the rest for as long as they read. Rows do not wait for them.
SET lock_timeout = '500ms'
AS $$
DECLARE
    first  constant timestamptz := date_trunc('month', month::timestamptz);
    beyond constant timestamptz := first + interval '1 month';
    -- Times far off are mistakes, or few: a table for each such month would make every query slower.
    oldest constant timestamptz := date_trunc('month', now() - interval '10 years');
    newest constant timestamptz := date_trunc('month', now() + interval '1 month');
    home    name;
    base    name;
    timed   name;
    own     name;
    strays  bigint;
    grantee oid;
BEGIN
    SELECT n.nspname, c.relname, a.attname
    INTO home, base, timed
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_partitioned_table AS p ON p.partrelid = c.oid
    JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = p.partattrs[0]
    WHERE c.oid = parent
      AND c.relname IN ('stock_movements', 'dead_letters')
      AND pg_has_role(c.relowner, 'USAGE');
    IF base IS NULL THEN
        RAISE EXCEPTION '% is not kept by months, or is not owned by %', parent, current_user;
    END IF;
    IF first NOT BETWEEN oldest AND newest THEN
        RETURN false;
    END IF;
    own := format('%s_%s', base, to_char(first, 'YYYY_MM'));
    IF EXISTS (
        SELECT FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent = parent AND c.relname = own
    ) THEN
        RETURN true;
    END IF;
    -- Against others that make months: what ATTACH takes on the parent anyway; rows come and go under it.
    EXECUTE format('LOCK TABLE ONLY %I.%I IN SHARE UPDATE EXCLUSIVE MODE', home, base);
    IF EXISTS (
        SELECT FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent = parent AND c.relname = own
    ) THEN
        RETURN true;
    END IF;
    EXECUTE format('LOCK TABLE %I.%I IN ACCESS EXCLUSIVE MODE', home, base || '_rest');
    EXECUTE format(
        'SELECT count(*) FROM (SELECT FROM %I.%I WHERE %I >= $1 AND %I < $2 LIMIT $3) AS counted',
        home, base || '_rest', timed, timed
    ) INTO strays USING first, beyond, at_most::bigint + 1;
    IF strays > at_most THEN
        RETURN false;
    END IF;
    EXECUTE format(
        'CREATE TABLE %I.%I (LIKE %I.%I INCLUDING DEFAULTS INCLUDING COMMENTS INCLUDING STORAGE)',
        home, own, home, base
    );
    EXECUTE format(
        'COMMENT ON TABLE %I.%I IS %L', home, own, format('The month %s of %s.', to_char(first, 'YYYY-MM'), base)
    );
    -- Months are read and written through their parent, whose rights may leave columns out.
    FOR grantee IN
        SELECT DISTINCT g.grantee
        FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS g
        WHERE c.oid = to_regclass(format('%I.%I', home, own)) AND g.grantee <> c.relowner
    LOOP
        EXECUTE format(
            'REVOKE ALL ON %I.%I FROM %s', home, own,
            CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE grantee::regrole::text END
        );
    END LOOP;
    IF strays > 0 THEN
        EXECUTE format(
            'WITH moved AS (DELETE FROM %I.%I WHERE %I >= $1 AND %I < $2 RETURNING *)'
            ' INSERT INTO %I.%I SELECT * FROM moved',
            home, base || '_rest', timed, timed, home, own
        ) USING first, beyond;
    END IF;
    EXECUTE format(
        'ALTER TABLE %I.%I ATTACH PARTITION %I.%I FOR VALUES FROM (%L) TO (%L)',
        home, base, home, own, first, beyond
    );
    RETURN true;
END
$$;
REVOKE EXECUTE ON FUNCTION make_month(regclass, date, integer) FROM PUBLIC;
COMMENT ON FUNCTION make_month(regclass, date, integer) IS 'Gives a month of stock_movements or dead_letters a table of its own, and takes the month''s rows out of the rest if there are no more than at_most; true when the month has its table.';

ALTER TABLE stock_movements RENAME TO stock_movements_flat;
ALTER TABLE stock_movements_flat DROP CONSTRAINT stock_movements_pkey;
DROP INDEX stock_movements_order;
CREATE TABLE stock_movements (
    LIKE stock_movements_flat INCLUDING DEFAULTS INCLUDING COMMENTS INCLUDING STORAGE
) PARTITION BY RANGE (processed_at);
CREATE TABLE stock_movements_rest (
    LIKE stock_movements_flat INCLUDING DEFAULTS INCLUDING COMMENTS INCLUDING STORAGE
);
ALTER TABLE stock_movements ATTACH PARTITION stock_movements_rest DEFAULT;

ALTER TABLE dead_letters RENAME TO dead_letters_flat;
ALTER TABLE dead_letters_flat DROP CONSTRAINT dead_letters_pkey;
DROP INDEX dead_letters_processed;
CREATE TABLE dead_letters (
    LIKE dead_letters_flat INCLUDING DEFAULTS INCLUDING COMMENTS INCLUDING STORAGE
) PARTITION BY RANGE (record_time);
CREATE TABLE dead_letters_rest (
    LIKE dead_letters_flat INCLUDING DEFAULTS INCLUDING COMMENTS INCLUDING STORAGE
);
ALTER TABLE dead_letters ATTACH PARTITION dead_letters_rest DEFAULT;

-- Each row is read and written once, its indexes are made after it: see docs/operations/growth.md for how long.
DO $$
DECLARE
    month date;
BEGIN
    FOR month IN SELECT DISTINCT date_trunc('month', processed_at AT TIME ZONE 'UTC') FROM stock_movements_flat LOOP
        PERFORM make_month('stock_movements', month, 0);
    END LOOP;
    FOR month IN SELECT DISTINCT date_trunc('month', record_time AT TIME ZONE 'UTC') FROM dead_letters_flat LOOP
        PERFORM make_month('dead_letters', month, 0);
    END LOOP;
END
$$;
INSERT INTO stock_movements SELECT * FROM stock_movements_flat;
INSERT INTO dead_letters SELECT * FROM dead_letters_flat;

-- "Why is this level 47?": all movements of a level, in order. That no two have the same revision is seen from
-- the level's own, for this key cannot tell across months.
ALTER TABLE stock_movements ADD CONSTRAINT stock_movements_pkey
    PRIMARY KEY (store_id, product_id, outlet_id, revision, processed_at);
-- "What did this order do to the stock?"
CREATE INDEX stock_movements_order ON stock_movements (store_id, order_id) WHERE order_id IS NOT NULL;
ALTER TABLE dead_letters ADD CONSTRAINT dead_letters_pkey PRIMARY KEY (dead_letter_id, record_time);
-- "What was refused lately?"
CREATE INDEX dead_letters_processed ON dead_letters (processed_at);
-- "Was the record that was sent again refused again?"
CREATE INDEX dead_letters_source ON dead_letters (source_topic, source_partition, source_offset);

-- Who might do what with a table may do the same with the one that takes its place, and no more: default
-- privileges must not open columns that were closed.
DO $$
DECLARE
    base  text;
    given record;
BEGIN
    FOREACH base IN ARRAY ARRAY['stock_movements', 'dead_letters'] LOOP
        FOR given IN
            SELECT c.oid::regclass AS what,
                   CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END AS grantee
            FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS g
            WHERE c.oid IN (base::regclass, (base || '_rest')::regclass) AND g.grantee <> c.relowner
        LOOP
            EXECUTE format('REVOKE ALL ON %s FROM %s', given.what, given.grantee);
        END LOOP;
        FOR given IN
            SELECT g.privilege_type AS privilege, '' AS columns, g.is_grantable,
                   CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END AS grantee
            FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS g
            WHERE c.oid = (base || '_flat')::regclass AND g.grantee <> c.relowner
            UNION ALL
            SELECT g.privilege_type, format('(%I)', a.attname), g.is_grantable,
                   CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END
            FROM pg_attribute AS a CROSS JOIN LATERAL aclexplode(a.attacl) AS g
            WHERE a.attrelid = (base || '_flat')::regclass AND NOT a.attisdropped
        LOOP
            EXECUTE format(
                'GRANT %s %s ON %I TO %s %s', given.privilege, given.columns, base, given.grantee,
                CASE WHEN given.is_grantable THEN 'WITH GRANT OPTION' ELSE '' END
            );
        END LOOP;
    END LOOP;
    -- storage/roles.sql gives it to a role that is made later.
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'tillstream_writer') THEN
        GRANT EXECUTE ON FUNCTION make_month(regclass, date, integer) TO tillstream_writer;
    END IF;
END
$$;

DROP TABLE stock_movements_flat;
DROP TABLE dead_letters_flat;

COMMENT ON TABLE stock_movements IS 'Every change of a stock level, never changed itself; a table for each month in which they were decided. The sums over a level''s movements are the level, but for those that were pruned: each tells what the level was after it.';
COMMENT ON TABLE stock_movements_rest IS 'Movements of months that have no table: of times far off.';
COMMENT ON TABLE dead_letters IS 'Records that were refused, with the reason and where they stand in the log; a table for each month of the records'' times.';
COMMENT ON TABLE dead_letters_rest IS 'Dead letters of months that have no table: of times far off.';
