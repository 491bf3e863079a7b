-- What the `eventsourcing` recorders run besides the append path. `{shard}` is a shard's number.

-- name: events_ascending
SELECT stream, version, type, data FROM event_{shard}
WHERE stream = $1::text AND version > $2::bigint AND version <= $3::bigint
ORDER BY version LIMIT $4::bigint;

-- name: events_descending
SELECT stream, version, type, data FROM event_{shard}
WHERE stream = $1::text AND version > $2::bigint AND version <= $3::bigint
ORDER BY version DESC LIMIT $4::bigint;

-- name: notifications
SELECT stream, version, type, data, position FROM event_{shard}
WHERE position >= $1::bigint AND position <= $2::bigint
ORDER BY position LIMIT $3::bigint;

-- name: notifications_of_types
SELECT stream, version, type, data, position FROM event_{shard}
WHERE position >= $1::bigint AND position <= $2::bigint AND type = ANY ($4::text[])
ORDER BY position LIMIT $3::bigint;

-- name: newest
SELECT next_position - 1 FROM shard WHERE shard = $1::integer;

-- name: insert_snapshots
INSERT INTO snapshot (shard, stream, version, type, data, schema)
SELECT s.shard, s.stream, s.version, s.type, s.data, ''
FROM unnest($1::integer[], $2::text[], $3::bigint[], $4::text[], $5::bytea[]) AS s (shard, stream, version, type, data);

-- name: snapshots_ascending
SELECT stream, version, type, data FROM snapshot
WHERE shard = {shard} AND stream = $1::text AND version > $2::bigint AND version <= $3::bigint
ORDER BY version LIMIT $4::bigint;

-- name: snapshots_descending
SELECT stream, version, type, data FROM snapshot
WHERE shard = {shard} AND stream = $1::text AND version > $2::bigint AND version <= $3::bigint
ORDER BY version DESC LIMIT $4::bigint;
