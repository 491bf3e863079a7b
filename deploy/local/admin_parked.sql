-- name: list
SELECT parked.shard, parked.topic, parked.source_shard, parked.position, parked.key, parked.cause, parked.type,
    parked.parked_at, parked.ended,
    (SELECT max(how) FROM parked_order ordered WHERE ordered.done_at IS NULL AND ordered.shard = parked.shard
        AND ordered.topic = parked.topic AND ordered.source_shard = parked.source_shard
        AND ordered.position = parked.position)
FROM parked WHERE %(all)s OR parked.released_at IS NULL ORDER BY parked.arrival LIMIT %(limit)s

-- name: show
SELECT parked.key, parked.cause, parked.type, parked.trace, parked.parked_at, parked.ended, parked.released_at,
    parked.data
FROM parked WHERE shard = %(shard)s AND topic = %(topic)s AND source_shard = %(source_shard)s
    AND position = %(position)s

-- name: order
INSERT INTO parked_order (shard, topic, source_shard, position, how, ordered_by)
SELECT shard, topic, source_shard, position, %(how)s, %(ordered_by)s FROM parked
WHERE shard = %(shard)s AND topic = %(topic)s AND source_shard = %(source_shard)s AND position = %(position)s
    AND released_at IS NULL
RETURNING id

-- name: release_adopted
INSERT INTO parked_order (shard, topic, source_shard, position, how, ordered_by)
SELECT shard, topic, source_shard, position, 'released', %(ordered_by)s FROM parked
WHERE shard = %(shard)s AND cause = 'adopted' AND released_at IS NULL
    AND NOT EXISTS (SELECT FROM parked_order ordered WHERE ordered.shard = parked.shard
        AND ordered.topic = parked.topic AND ordered.source_shard = parked.source_shard
        AND ordered.position = parked.position)
ORDER BY arrival
RETURNING id

-- name: done
SELECT done_at IS NOT NULL FROM parked_order WHERE id = %(id)s
