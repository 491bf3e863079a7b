-- name: fold
INSERT INTO transfer_view AS v (transfer_id, tenant, account_id, shard, position, status, reason, to_account_id, purpose,
                                amount_minor, currency, sent_at)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::integer[], %s::bigint[], %s::text[], %s::text[],
                     %s::text[], %s::text[], %s::bigint[], %s::text[], %s::timestamptz[])
ON CONFLICT (transfer_id) DO UPDATE
SET status = coalesce(excluded.status, v.status), reason = coalesce(excluded.reason, v.reason),
    to_account_id = coalesce(v.to_account_id, excluded.to_account_id), purpose = coalesce(v.purpose, excluded.purpose),
    amount_minor = coalesce(v.amount_minor, excluded.amount_minor), currency = coalesce(v.currency, excluded.currency),
    sent_at = coalesce(v.sent_at, excluded.sent_at);

-- name: sources
INSERT INTO transfer_source_view (transfer_id, fund_id, amount_minor)
SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[]);

-- name: posted
INSERT INTO transfer_posted_view AS v (transfer_id, debit_minor, credit_minor)
SELECT * FROM unnest(%s::text[], %s::numeric[], %s::numeric[])
ON CONFLICT (transfer_id) DO UPDATE
SET debit_minor = v.debit_minor + excluded.debit_minor, credit_minor = v.credit_minor + excluded.credit_minor;
