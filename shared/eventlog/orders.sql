-- name: waiting
SELECT shard, id, topic, source_shard, position, how FROM parked_order WHERE done_at IS NULL ORDER BY id

-- name: done
UPDATE parked_order SET done_at = clock_timestamp() WHERE shard = %(shard)s AND id = ANY (%(ids)s) AND done_at IS NULL

-- name: shelved
SELECT topic, source_shard, position, key, cause, clock_timestamp() - parked_at
FROM parked WHERE shard = %(shard)s AND released_at IS NULL ORDER BY arrival
