-- name: open
INSERT INTO open_notice (notice_id, shard, position)
SELECT * FROM unnest(%s::text[], %s::integer[], %s::bigint[])
ON CONFLICT (notice_id) DO NOTHING;

-- name: close
DELETE FROM open_notice WHERE notice_id = ANY (%s::text[]);

-- name: open_positions
SELECT position FROM open_notice WHERE shard = %s ORDER BY position;
