-- name: fold
INSERT INTO account_view AS v (account_id, opened_at, reason, moved_to)
SELECT * FROM unnest(%s::text[], %s::timestamptz[], %s::text[], %s::text[])
ON CONFLICT (account_id) DO UPDATE
SET opened_at = coalesce(v.opened_at, excluded.opened_at), reason = coalesce(v.reason, excluded.reason),
    moved_to = coalesce(v.moved_to, excluded.moved_to);
