-- name: after
SELECT w.id, w.kind, w.shard, w.position, w.created_at, w.has_word
FROM unnest(%(shards)s::integer[], %(positions)s::bigint[]) AS seen (shard, position)
CROSS JOIN LATERAL (SELECT id, created_at FROM request
                    WHERE shard = seen.shard AND position > seen.position
                    ORDER BY position LIMIT %(limit)s) r
JOIN request_word w ON w.id = r.id
WHERE r.created_at <= %(before)s
ORDER BY w.shard, w.position;

-- name: still
SELECT id FROM request_word WHERE id = ANY (%(ids)s) AND NOT has_word;
