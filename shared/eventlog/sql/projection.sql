-- The cursors of projections. `FOR UPDATE` first, in the order of names: two runners wait for each other.

-- name: lock
SELECT c.name, c.position
FROM projection_cursor c JOIN unnest(%s::text[], %s::integer[]) AS wanted (name, version)
    ON c.name = wanted.name AND c.version = wanted.version
WHERE c.source = %s AND c.shard = %s
ORDER BY c.name
FOR UPDATE OF c;

-- name: begin
INSERT INTO projection_cursor (source, shard, name, version)
SELECT %s, %s, wanted.name, wanted.version FROM unnest(%s::text[], %s::integer[]) AS wanted (name, version)
ON CONFLICT DO NOTHING;

-- name: move
UPDATE projection_cursor c SET position = %s
FROM unnest(%s::text[], %s::integer[]) AS moved (name, version)
WHERE c.name = moved.name AND c.version = moved.version AND c.source = %s AND c.shard = %s;

-- name: notify
SELECT pg_notify(%s, %s);

-- name: positions
SELECT shard, position FROM projection_cursor WHERE name = %s AND version = %s AND source = %s ORDER BY shard;

-- name: schema_of
SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass(%s);

-- name: primary_key
SELECT a.attname
FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
WHERE i.indrelid = %s::regclass AND i.indisprimary
ORDER BY array_position(i.indkey::smallint[], a.attnum);
