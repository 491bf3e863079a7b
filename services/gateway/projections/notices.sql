-- name: fold
INSERT INTO notice_view AS v (notice_id, account_id, kind, reference, sent_at, ended)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::text[])
ON CONFLICT (notice_id) DO UPDATE
SET kind = coalesce(v.kind, excluded.kind), reference = coalesce(v.reference, excluded.reference),
    sent_at = coalesce(v.sent_at, excluded.sent_at), ended = coalesce(v.ended, excluded.ended);
