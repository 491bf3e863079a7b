-- name: live
SELECT name, version FROM projection_version;

-- name: lock
LOCK TABLE cursor IN EXCLUSIVE MODE;

-- name: lock_to_fold
LOCK TABLE cursor IN ROW EXCLUSIVE MODE;

-- name: begin
INSERT INTO projection_version (name, version)
SELECT wanted.name, CASE WHEN EXISTS (SELECT FROM cursor) THEN 0 ELSE wanted.version END
FROM unnest(%s::text[], %s::integer[]) AS wanted (name, version)
ON CONFLICT DO NOTHING;

-- name: stand_still
-- A projection that is in no version ours has been folded by others up to the cursors; one that is new, not at all.
INSERT INTO projection_cursor (name, version, source, shard, position)
SELECT v.name, v.version, split_part(c.topic, '.', 1), c.source_shard, CASE v.version WHEN 0 THEN 0 ELSE c.position END
FROM unnest(%s::text[], %s::integer[]) AS wanted (name, version) JOIN projection_version v USING (name), cursor c
WHERE v.version < wanted.version AND c.shard = c.source_shard
ON CONFLICT DO NOTHING;

-- name: positions
SELECT topic, source_shard, position FROM cursor WHERE topic = ANY (%s) AND shard = source_shard;

-- name: stood
SELECT source, shard, position FROM projection_cursor WHERE name = %s;

-- name: left_out
SELECT position FROM parked
WHERE shard = %s AND topic = %s AND source_shard = %s AND (released_at IS NULL OR ended = 'dropped');

-- name: let_in
SELECT position, data FROM public.parked
WHERE shard = %s AND topic = %s AND source_shard = %s AND position = ANY (%s) AND ended = 'released'
ORDER BY position;

-- name: swapped
INSERT INTO projection_version (name, version) VALUES (%s, %s)
ON CONFLICT (name) DO UPDATE SET version = excluded.version;

-- name: moves_on
DELETE FROM projection_cursor WHERE name = %s;
