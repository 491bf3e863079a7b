-- name: position
SELECT position FROM open_work_position WHERE shard = %s

-- name: works
SELECT data FROM open_work WHERE shard = %s ORDER BY work_id

-- name: begin
INSERT INTO open_work_position (shard, position) VALUES (%s, 0) ON CONFLICT (shard) DO NOTHING

-- name: advance
UPDATE open_work_position SET position = %s WHERE shard = %s AND position < %s

-- name: close
DELETE FROM open_work WHERE shard = %s AND work_id = ANY(%s)

-- name: keep
INSERT INTO open_work (shard, work_id, data) VALUES (%s, %s, %s)
ON CONFLICT (shard, work_id) DO UPDATE SET data = EXCLUDED.data
