-- name: open
SELECT id, shard, topic, source_shard, position, previous, ordered_at IS NOT NULL
FROM fork WHERE shard = ANY (%(shards)s) AND ended_at IS NULL ORDER BY id

-- name: note
INSERT INTO fork (shard, topic, source_shard, position, previous, cursor, cursor_hash)
VALUES (%(shard)s, %(topic)s, %(source_shard)s, %(position)s, %(previous)s, %(cursor)s, %(cursor_hash)s)
ON CONFLICT DO NOTHING

-- name: ended
UPDATE fork SET ended_at = clock_timestamp() WHERE id = ANY (%(ids)s) AND ended_at IS NULL
