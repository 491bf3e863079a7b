-- name: fold
INSERT INTO account_view AS v (account_id, opened_at, reason)
SELECT * FROM unnest(%s::text[], %s::timestamptz[], %s::text[])
ON CONFLICT (account_id) DO UPDATE
SET opened_at = coalesce(v.opened_at, excluded.opened_at), reason = coalesce(v.reason, excluded.reason);
