-- name: fold
INSERT INTO invoice_view AS v (invoice_id, account_id, number, due_date, currency, total_minor, reason, paid_minor, tenant,
                               shard, position, issued_at, lines, voided_minor, is_void)
SELECT invoice_id, account_id, number, due_date, currency, total_minor, reason, paid_minor, tenant, shard, position,
    issued_at, lines::jsonb, voided_minor, is_void
FROM unnest(%s::text[], %s::text[], %s::text[], %s::date[], %s::text[], %s::numeric[], %s::text[], %s::numeric[],
            %s::text[], %s::integer[], %s::bigint[], %s::timestamptz[], %s::text[], %s::numeric[], %s::boolean[])
    AS f (invoice_id, account_id, number, due_date, currency, total_minor, reason, paid_minor, tenant, shard, position,
          issued_at, lines, voided_minor, is_void)
ON CONFLICT (invoice_id) DO UPDATE
SET account_id = coalesce(v.account_id, excluded.account_id), number = coalesce(v.number, excluded.number),
    due_date = coalesce(v.due_date, excluded.due_date), currency = coalesce(v.currency, excluded.currency),
    total_minor = coalesce(v.total_minor, excluded.total_minor), reason = coalesce(v.reason, excluded.reason),
    paid_minor = v.paid_minor + excluded.paid_minor, tenant = coalesce(v.tenant, excluded.tenant),
    shard = coalesce(v.shard, excluded.shard), position = coalesce(v.position, excluded.position),
    issued_at = coalesce(v.issued_at, excluded.issued_at), lines = coalesce(v.lines, excluded.lines),
    voided_minor = v.voided_minor + excluded.voided_minor, is_void = v.is_void OR excluded.is_void;
