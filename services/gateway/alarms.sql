-- name: after
SELECT r.id, r.kind, r.shard, r.position, r.created_at, has_word(r.kind, r.id)
FROM unnest(%(shards)s::integer[], %(positions)s::bigint[]) AS seen (shard, position)
CROSS JOIN LATERAL (SELECT id, kind, shard, position, created_at FROM request
                    WHERE shard = seen.shard AND position > seen.position
                    ORDER BY position LIMIT %(limit)s) r
WHERE r.created_at <= %(before)s
ORDER BY r.shard, r.position;

-- name: still
SELECT id FROM unnest(%(ids)s::text[], %(kinds)s::text[]) AS waiting (id, kind) WHERE NOT has_word(kind, id);
