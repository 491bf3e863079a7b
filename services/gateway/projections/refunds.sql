-- name: fold
INSERT INTO refund_view AS v
    (refund_id, tenant, account_id, shard, position, status, reason, payment_id, fund_id, purpose, case_id, amount_minor,
     currency, approvals_needed, approvals_given, digest, approve_by, opened_at)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::integer[], %s::bigint[], %s::text[], %s::text[],
                     %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::text[], %s::integer[],
                     %s::integer[], %s::text[], %s::timestamptz[], %s::timestamptz[])
ON CONFLICT (refund_id) DO UPDATE
SET status = coalesce(excluded.status, v.status), reason = coalesce(excluded.reason, v.reason),
    payment_id = coalesce(v.payment_id, excluded.payment_id), fund_id = coalesce(v.fund_id, excluded.fund_id),
    purpose = coalesce(v.purpose, excluded.purpose), case_id = coalesce(v.case_id, excluded.case_id),
    amount_minor = coalesce(v.amount_minor, excluded.amount_minor), currency = coalesce(v.currency, excluded.currency),
    approvals_needed = coalesce(v.approvals_needed, excluded.approvals_needed),
    approvals_given = v.approvals_given + excluded.approvals_given, digest = coalesce(v.digest, excluded.digest),
    approve_by = coalesce(v.approve_by, excluded.approve_by), opened_at = coalesce(v.opened_at, excluded.opened_at);
