-- name: fold
INSERT INTO case_view AS v (case_id, tenant, account_id, shard, position, rule, payment_id, twin_payment_id, invoice_id,
                            reference, amount_minor, currency, opened_at, outcome, refund_id, decided_at)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::integer[], %s::bigint[], %s::text[], %s::text[],
                     %s::text[], %s::text[], %s::text[], %s::bigint[], %s::text[], %s::timestamptz[], %s::text[],
                     %s::text[], %s::timestamptz[])
ON CONFLICT (case_id) DO UPDATE
SET outcome = coalesce(v.outcome, excluded.outcome), refund_id = coalesce(v.refund_id, excluded.refund_id),
    decided_at = coalesce(v.decided_at, excluded.decided_at);
