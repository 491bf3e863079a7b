-- name: fold
INSERT INTO request_view (request_id, done_at, reason)
SELECT * FROM unnest(%s::text[], %s::timestamptz[], %s::text[])
ON CONFLICT (request_id) DO NOTHING;
