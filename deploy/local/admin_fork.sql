-- name: list
SELECT shard, topic, source_shard, position, previous, cursor, cursor_hash, seen_at, ordered_by, ended_at
FROM fork WHERE %(all)s OR ended_at IS NULL ORDER BY id

-- name: skip
UPDATE fork SET ordered_by = %(ordered_by)s, ordered_at = clock_timestamp()
WHERE shard = %(shard)s AND topic = %(topic)s AND source_shard = %(source_shard)s
    AND ended_at IS NULL AND ordered_at IS NULL
RETURNING id

-- name: ended
SELECT ended_at IS NOT NULL FROM fork WHERE id = %(id)s
