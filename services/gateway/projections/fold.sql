-- name: move
UPDATE cursor SET position = %s, hash = %s
WHERE shard = %s AND topic = %s AND source_shard = %s AND position = %s AND hash = %s;

-- name: begin
INSERT INTO cursor (shard, topic, source_shard, position, hash) VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING;

-- name: park
INSERT INTO parked (shard, topic, source_shard, position, key, cause, data, type, trace)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING;

-- name: end
UPDATE parked SET released_at = clock_timestamp(), ended = %s
WHERE shard = %s AND topic = %s AND source_shard = %s AND position = %s AND released_at IS NULL;

-- name: notify
SELECT pg_notify('projection', '');
