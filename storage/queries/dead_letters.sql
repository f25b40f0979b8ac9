-- Dead letters, and what operators did about them. The letters are the history's and follow the session's schema;
-- what was done stands with its own schema, for it outlives the history.

-- name: find_letters
-- $1 ids, $2 store, $3 reasons, $4 topics, $5 to $6 when they were refused, $7 states; null: any. $8 at most so many.
-- $9: letters that no store is known of count as the store's.
WITH back AS (
    SELECT r.dead_letter_id, array_agg(b.dead_letter_id ORDER BY b.part, b.dead_letter_id) AS letters
    FROM tillstream_operations.redrives AS r
    JOIN dead_letters AS b
        ON (b.source_topic, b.source_partition, b.source_offset) = (r.topic, r.partition, r.sent_offset)
    WHERE r.state = 'sent' AND b.found_by = 'stock'
    GROUP BY r.dead_letter_id
),
letters AS (
    SELECT d.dead_letter_id, d.found_by, d.reason, d.detail, d.source_topic, d.source_partition, d.source_offset,
           d.part, d.store_id, d.order_id, d.record_time, d.processed_at, d.length, d.sha256, d.complete,
           CASE
               WHEN x.dead_letter_id IS NOT NULL THEN 'discarded'
               WHEN r.state = 'sending' THEN 'sending'
               WHEN back.letters IS NOT NULL THEN 'came_back'
               WHEN r.state = 'sent' THEN 'sent_again'
               ELSE 'new'
           END AS state,
           f.dead_letter_id AS came_from, coalesce(back.letters, '{}') AS came_back_as,
           r.redrive_id::text AS redrive_id, r.origin, r.partition AS sent_partition, r.sent_offset,
           r.begun_at AS redriven_at, r.operator AS redriven_by, r.why AS redriven_why,
           x.discarded_at, x.operator AS discarded_by, x.why AS discarded_why
    FROM dead_letters AS d
    LEFT JOIN tillstream_operations.redrives AS r
        ON r.dead_letter_id = d.dead_letter_id AND r.state <> 'not_sent'
    LEFT JOIN back ON back.dead_letter_id = d.dead_letter_id
    LEFT JOIN tillstream_operations.redrives AS f
        ON f.state = 'sent'
       AND d.found_by = 'stock'
       AND (f.topic, f.partition, f.sent_offset) = (d.source_topic, d.source_partition, d.source_offset)
    LEFT JOIN tillstream_operations.discards AS x
        ON x.dead_letter_id = d.dead_letter_id AND x.restored_at IS NULL
    WHERE ($1::text[] IS NULL OR d.dead_letter_id = ANY($1))
      AND ($2::text IS NULL OR d.store_id = $2 OR ($9::boolean AND d.store_id IS NULL))
      AND ($3::text[] IS NULL OR d.reason = ANY($3))
      AND ($4::text[] IS NULL OR d.source_topic = ANY($4))
      AND ($5::timestamptz IS NULL OR d.processed_at >= $5)
      AND ($6::timestamptz IS NULL OR d.processed_at < $6)
)
SELECT *
FROM letters
WHERE $7::text[] IS NULL OR state = ANY($7)
ORDER BY processed_at DESC, source_topic, source_partition, source_offset, part
LIMIT $8;

-- name: letter_contents
SELECT dead_letter_id, head, traceback FROM dead_letters WHERE dead_letter_id = ANY($1::text[]);

-- name: begin_redrives
INSERT INTO tillstream_operations.redrives
    (redrive_id, dead_letter_id, state, origin, source, topic, partition, after_offset, length, sha256, operator, why)
SELECT redrive_id, dead_letter_id, 'sending', origin, source, topic, partition, after_offset, length, sha256, $10, $11
FROM unnest(
    $1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int[], $7::bigint[], $8::bigint[], $9::text[]
) AS due (redrive_id, dead_letter_id, origin, source, topic, partition, after_offset, length, sha256);

-- name: end_redrives
-- Without an offset it was not sent.
UPDATE tillstream_operations.redrives AS r
SET state = CASE WHEN known.sent_offset IS NULL THEN 'not_sent' ELSE 'sent' END,
    sent_offset = known.sent_offset,
    ended_at = clock_timestamp()
FROM unnest($1::uuid[], $2::bigint[]) AS known (redrive_id, sent_offset)
WHERE r.redrive_id = known.redrive_id AND r.state = 'sending';

-- name: open_redrives
SELECT redrive_id::text, dead_letter_id, topic, partition, after_offset, begun_at
FROM tillstream_operations.redrives
WHERE state = 'sending'
ORDER BY topic, partition, after_offset;

-- name: discard_letters
INSERT INTO tillstream_operations.discards (dead_letter_id, operator, why)
SELECT dead_letter_id, $2, $3 FROM unnest($1::text[]) AS due (dead_letter_id);

-- name: restore_letters
UPDATE tillstream_operations.discards
SET restored_at = clock_timestamp(), restored_by = $2
WHERE dead_letter_id = ANY($1::text[]) AND restored_at IS NULL;
