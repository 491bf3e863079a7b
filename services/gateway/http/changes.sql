-- What is asked of requests that change what exists, and of what comes of them.

-- name: request
SELECT r.id, r.operation, r.subject, r.account_id, r.shard, r.position, r.created_at, v.done_at, v.reason
FROM request r LEFT JOIN request_view v ON v.request_id = r.id
WHERE r.id = %(id)s AND r.kind = 'request';
