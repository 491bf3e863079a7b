-- What the store runs. `{shard}` is a shard's number: an owned shard's rows go straight to its own partition.

-- name: fence
SELECT fence($1, $2, $3, $4, $5, $6, $7);

-- name: fence_all
SELECT fence(f.shard, f.mode, f.epoch, f.held_position, f.new_position, f.head, f.recorded_at)
FROM unnest($1::integer[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bytea[], $7::timestamptz[])
    AS f (shard, mode, epoch, held_position, new_position, head, recorded_at);

-- name: fence_hastily
WITH hasty AS MATERIALIZED (SELECT set_config('lock_timeout', '50ms', true))
SELECT fence(f.shard, f.mode, f.epoch, f.held_position, f.new_position, f.head, f.recorded_at)
FROM hasty, unnest($1::integer[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bytea[], $7::timestamptz[])
    AS f (shard, mode, epoch, held_position, new_position, head, recorded_at);

-- name: insert_one
INSERT INTO event_{shard} (shard, position, stream, version, event_id, type, data, digest, trace)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);

-- name: insert_partition
INSERT INTO event_{shard} (shard, position, stream, version, event_id, type, data, digest, trace)
SELECT * FROM unnest($1::integer[], $2::bigint[], $3::text[], $4::bigint[], $5::uuid[], $6::text[], $7::bytea[],
                     $8::bytea[], $9::text[]);

-- name: insert_all
INSERT INTO event (shard, position, stream, version, event_id, type, data, digest, trace)
SELECT * FROM unnest($1::integer[], $2::bigint[], $3::text[], $4::bigint[], $5::uuid[], $6::text[], $7::bytea[],
                     $8::bytea[], $9::text[]);

-- name: copy_partition
COPY event_{shard} (shard, position, stream, version, event_id, type, data, digest, trace)
FROM STDIN (FORMAT binary);

-- name: move_cursors
INSERT INTO cursor (shard, topic, source_shard, position, hash)
SELECT * FROM unnest($1::integer[], $2::text[], $3::integer[], $4::bigint[], $5::bytea[])
ON CONFLICT (shard, topic, source_shard) DO UPDATE SET position = excluded.position, hash = excluded.hash;

-- name: park
INSERT INTO parked (shard, topic, source_shard, position, key, cause, data, type, trace)
SELECT * FROM unnest($1::integer[], $2::text[], $3::integer[], $4::bigint[], $5::text[], $6::text[], $7::bytea[],
                     $8::text[], $9::text[])
ON CONFLICT DO NOTHING;

-- name: end_parked
UPDATE parked SET released_at = clock_timestamp(), ended = e.how
FROM unnest($1::integer[], $2::text[], $3::integer[], $4::bigint[], $5::text[])
    AS e (shard, topic, source_shard, position, how)
WHERE parked.shard = e.shard AND parked.topic = e.topic AND parked.source_shard = e.source_shard
    AND parked.position = e.position AND parked.released_at IS NULL;

-- name: now
SELECT clock_timestamp();

-- name: backend
SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid();

-- name: end_backend
SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE pid = $1::integer AND backend_start = $2::timestamptz;

-- name: end_holders
SELECT pg_terminate_backend(a.pid, 2000)
FROM shard s
JOIN pg_locks l ON l.locktype = 'transactionid' AND l.granted AND l.transactionid = s.xmax
JOIN pg_stat_activity a ON a.pid = l.pid
WHERE s.shard = ANY ($1::integer[]) AND a.usename = current_user AND a.wait_event_type = 'Client'
    AND a.xact_start < clock_timestamp() - interval '2 seconds';

-- name: settle
SELECT next_position, head FROM settle($1::integer, $2::text, $3::bigint);

-- name: take_over
SELECT shard, epoch, next_position, head, recorded_at, now FROM take_over($1::integer);

-- name: lock_shards
SELECT shard, epoch, next_position, head, recorded_at, now FROM lock_shards($1::integer[], $2::text);

-- name: lock_shards_hastily
WITH hasty AS MATERIALIZED (SELECT set_config('lock_timeout', '250ms', true))
SELECT shard, epoch, next_position, head, recorded_at, now FROM hasty, lock_shards($1::integer[], $2::text);

-- name: find
SELECT shard, position, stream, version, event_id, type, data, digest, trace
FROM event_{shard} WHERE event_id = ANY ($1::uuid[]);

-- name: find_all
SELECT e.shard, e.position, e.stream, e.version, e.event_id, e.type, e.data, e.digest, e.trace
FROM unnest($1::integer[], $2::uuid[]) AS wanted (shard, event_id)
JOIN event e ON e.shard = wanted.shard AND e.event_id = wanted.event_id;

-- name: read
SELECT shard, position, stream, version, event_id, type, data, digest, trace
FROM event_{shard} WHERE position > $1::bigint ORDER BY position LIMIT $2::bigint;

-- name: other_types
SELECT DISTINCT type FROM event_{shard} WHERE shard = {shard} AND stream = $1::text AND type <> ALL ($2::text[]);

-- name: ends
SELECT shard, next_position - 1 FROM shard WHERE shard = ANY ($1::integer[]);

-- name: cursors
SELECT topic, source_shard, position, hash FROM cursor WHERE shard = $1::integer ORDER BY topic, source_shard;

-- name: holds
SELECT topic, source_shard, position, key, cause, data, type, trace
FROM parked WHERE shard = $1::integer AND released_at IS NULL ORDER BY arrival;

-- name: strays
SELECT topic, position FROM parked WHERE shard = $1::integer AND source_shard < 0;

-- name: load
WITH kept AS MATERIALIZED (
    SELECT DISTINCT ON (stream) stream, version, data FROM snapshot
    WHERE shard = {shard} AND stream = ANY ($1::text[]) AND schema = $2::bytea
    ORDER BY stream, version DESC
)
SELECT {shard} AS shard, 0 AS position, stream, version, NULL::uuid AS event_id, '' AS type, data,
    NULL::bytea AS digest, NULL::text AS trace
FROM kept
UNION ALL
(SELECT e.shard, e.position, e.stream, e.version, e.event_id, e.type, e.data, e.digest, e.trace
FROM unnest($1::text[]) AS wanted (stream)
JOIN event_{shard} e ON e.stream = wanted.stream
    AND e.version > coalesce((SELECT kept.version FROM kept WHERE kept.stream = wanted.stream), 0)
ORDER BY e.stream, e.version);

-- name: save_snapshots
INSERT INTO snapshot (shard, stream, version, data, schema)
SELECT * FROM unnest($1::integer[], $2::text[], $3::bigint[], $4::bytea[], $5::bytea[])
ON CONFLICT (shard, stream, version) DO UPDATE SET data = excluded.data, schema = excluded.schema;

-- name: drop_older_snapshots
DELETE FROM snapshot USING unnest($1::integer[], $2::text[], $3::bigint[]) AS newest (shard, stream, version)
WHERE snapshot.shard = newest.shard AND snapshot.stream = newest.stream AND snapshot.version < newest.version;

-- name: relay_place
SELECT position FROM relay WHERE shard = $1::integer;

-- name: relay_chains
SELECT topic, partition, position, hash FROM relay_chain WHERE shard = $1::integer;

-- An old owner's relay that wakes late must not move the place back: its chains would be of two moments.
-- name: save_relay_place
INSERT INTO relay (shard, position) VALUES ($1::integer, $2::bigint)
ON CONFLICT (shard) DO UPDATE SET position = excluded.position WHERE relay.position < excluded.position;

-- name: save_relay_chains
INSERT INTO relay_chain (shard, topic, partition, position, hash)
SELECT * FROM unnest($1::integer[], $2::text[], $3::integer[], $4::bigint[], $5::bytea[])
ON CONFLICT (shard, topic, partition) DO UPDATE SET position = excluded.position, hash = excluded.hash
WHERE relay_chain.position < excluded.position;

-- name: log_heads
SELECT shard, next_position - 1, head FROM shard WHERE shard = ANY ($1::integer[]);

-- name: firsts
SELECT topic, partition, first_offset, first_ms FROM relay_chain
WHERE shard = $1::integer AND first_offset IS NOT NULL;

-- name: save_firsts
UPDATE relay_chain SET first_offset = f.first_offset, first_ms = nullif(f.first_ms, -1)
FROM unnest($2::text[], $3::integer[], $4::bigint[], $5::bigint[]) AS f (topic, partition, first_offset, first_ms)
WHERE relay_chain.shard = $1::integer AND relay_chain.topic = f.topic AND relay_chain.partition = f.partition;

-- name: timeline
SELECT (SELECT system_identifier FROM pg_control_system()),
    ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer;

-- name: known_timelines
SELECT shard, system_identifier, timeline FROM timeline WHERE shard = ANY ($1::integer[]);

-- name: save_timeline
INSERT INTO timeline (shard, system_identifier, timeline)
SELECT shard, $2::bigint, $3::integer FROM unnest($1::integer[]) AS shard
ON CONFLICT (shard) DO UPDATE SET system_identifier = excluded.system_identifier, timeline = excluded.timeline
WHERE (timeline.system_identifier, timeline.timeline) <> (excluded.system_identifier, excluded.timeline);

-- name: seeks
SELECT topic, partition, "offset" FROM seek;

-- name: save_seeks
INSERT INTO seek (topic, partition, "offset")
SELECT * FROM unnest($1::text[], $2::integer[], $3::bigint[])
ON CONFLICT (topic, partition) DO UPDATE SET "offset" = excluded."offset";

-- name: lazily
SET LOCAL synchronous_commit = off;
