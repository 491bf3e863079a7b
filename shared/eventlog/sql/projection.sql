-- The cursors of projections. `FOR UPDATE` first, in the order of names: two runners wait for each other.

-- name: lock
SELECT name, version, position FROM projection_cursor
WHERE name = ANY (%s) AND source = %s AND shard = %s
ORDER BY name, version
FOR UPDATE;

-- name: versions
SELECT name, max(version) FROM projection_cursor WHERE name = ANY (%s) GROUP BY name;

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

-- name: live
SELECT version, shard, position FROM projection_cursor WHERE name = %s AND source = %s;
