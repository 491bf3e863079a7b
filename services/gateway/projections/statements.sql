-- name: fold
INSERT INTO statement_view (statement_id, imported_at, reason)
SELECT * FROM unnest(%s::text[], %s::timestamptz[], %s::text[])
ON CONFLICT (statement_id) DO NOTHING;
