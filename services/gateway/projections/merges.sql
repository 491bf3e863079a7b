-- name: fold
INSERT INTO merge_view (merge_id, status, reason)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[])
ON CONFLICT (merge_id) DO UPDATE SET status = excluded.status, reason = excluded.reason;
