-- Rebuilds: their lock, the events of a log in pieces, and the cursors of what was swapped in.

-- name: try_alone
SELECT pg_try_advisory_xact_lock(hashtextextended('rebuild ' || %s, 0));

-- name: alone
SELECT pg_advisory_lock(hashtextextended('rebuild ' || %s, 0));

-- name: make
SELECT make_scratch(%s, %s);

-- name: count
SELECT count_scratch(%s, %s);

-- name: swap
SELECT swap_scratch(%s, %s, %s);

-- name: drop
SELECT drop_scratch(%s);

-- name: ends
SELECT shard, next_position - 1 FROM shard;

-- name: piece
SELECT position, data FROM event
WHERE shard = %(shard)s AND position > %(after)s AND position <= %(until)s
ORDER BY position;

-- name: piece_of_type
SELECT position, data FROM event
WHERE shard = %(shard)s AND position > %(after)s AND position <= %(until)s AND type = %(type)s
ORDER BY position;

-- name: forget
DELETE FROM projection_cursor WHERE name = %s AND source = %s;

-- name: stand
INSERT INTO projection_cursor (name, version, source, shard, position)
SELECT %s, %s, %s, at.shard, at.position FROM unnest(%s::integer[], %s::bigint[]) AS at (shard, position);

-- name: schema_of
SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass(%s);

-- name: primary_key
SELECT a.attname
FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
WHERE i.indrelid = %s::regclass AND i.indisprimary
ORDER BY array_position(i.indkey::smallint[], a.attnum);
