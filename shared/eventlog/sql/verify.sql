-- What a verifier reads.

-- name: head
SELECT next_position, head FROM shard WHERE shard = %s;

-- name: rows
SELECT position, stream, version, event_id, type, data FROM event WHERE shard = %s ORDER BY position;
