-- name: fold
INSERT INTO ledger_account_view AS v
    (ledger_account_id, tenant, shard, position, code, sub_key, currency, status, named_at)
SELECT * FROM unnest(%s::text[], %s::text[], %s::integer[], %s::bigint[], %s::text[], %s::text[], %s::text[],
                     %s::text[], %s::timestamptz[])
ON CONFLICT (ledger_account_id) DO UPDATE
SET position = excluded.position, status = coalesce(excluded.status, v.status);
