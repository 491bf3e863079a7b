-- What is asked of requests that change what exists, and of what comes of them.

-- name: request
SELECT r.operation, r.subject, r.account_id, r.shard, r.position, r.created_at, v.done_at, v.reason
FROM request r LEFT JOIN request_view v ON v.request_id = r.id
WHERE r.id = %(id)s AND r.kind = 'request';

-- name: case
SELECT case_id, account_id, rule, payment_id, twin_payment_id, invoice_id, reference, amount_minor, currency, outcome,
    refund_id, opened_at, decided_at
FROM case_view WHERE case_id = %(id)s AND opened_at IS NOT NULL;

-- name: cases
SELECT case_id, account_id, rule, payment_id, twin_payment_id, invoice_id, reference, amount_minor, currency, outcome,
    refund_id, opened_at, decided_at
FROM case_view
WHERE tenant = %(tenant)s AND opened_at IS NOT NULL
    AND (%(before_at)s::timestamptz IS NULL
         OR (opened_at, case_id) < (%(before_at)s::timestamptz, %(before_id)s::text))
    AND (%(status)s::text IS NULL OR (%(status)s::text = 'open') = (outcome IS NULL))
ORDER BY opened_at DESC, case_id DESC LIMIT %(limit)s;

-- name: cases_of
SELECT case_id, account_id, rule, payment_id, twin_payment_id, invoice_id, reference, amount_minor, currency, outcome,
    refund_id, opened_at, decided_at
FROM case_view
WHERE account_id = ANY (%(accounts)s) AND tenant = %(tenant)s AND opened_at IS NOT NULL
    AND (%(before_at)s::timestamptz IS NULL
         OR (opened_at, case_id) < (%(before_at)s::timestamptz, %(before_id)s::text))
    AND (%(status)s::text IS NULL OR (%(status)s::text = 'open') = (outcome IS NULL))
ORDER BY opened_at DESC, case_id DESC LIMIT %(limit)s;

-- name: refund
SELECT coalesce(r.account_id, v.account_id), CASE WHEN r.id IS NULL THEN 'billing' ELSE 'gateway' END,
    coalesce(r.shard, v.shard), coalesce(r.position, v.position), coalesce(r.created_at, v.opened_at),
    coalesce(r.body->>'payment_id', v.payment_id), coalesce((r.body->>'amount_minor')::bigint, v.amount_minor),
    coalesce(r.body->>'currency', v.currency), coalesce(r.body->>'reason', v.purpose), v.status, v.reason, v.case_id,
    v.approvals_needed, v.approvals_given, v.digest, v.approve_by
FROM (SELECT * FROM request WHERE id = %(id)s AND kind = 'refund') r
FULL JOIN (SELECT * FROM refund_view WHERE refund_id = %(id)s) v ON v.refund_id = r.id;

-- name: transfer
SELECT coalesce(r.account_id, v.account_id), CASE WHEN r.id IS NULL THEN 'billing' ELSE 'gateway' END,
    coalesce(r.shard, v.shard), coalesce(r.position, v.position), coalesce(r.created_at, v.sent_at),
    coalesce(r.body->>'to_account_id', v.to_account_id), coalesce((r.body->>'amount_minor')::bigint, v.amount_minor),
    coalesce(r.body->>'currency', v.currency), coalesce(r.body->>'reason', v.purpose), v.status, v.reason,
    EXISTS (SELECT FROM transfer_posted_view WHERE transfer_id = %(id)s AND debit_minor = credit_minor)
FROM (SELECT * FROM request WHERE id = %(id)s AND kind = 'transfer') r
FULL JOIN (SELECT * FROM transfer_view WHERE transfer_id = %(id)s) v ON v.transfer_id = r.id;

-- name: merge
SELECT r.account_id, r.shard, r.position, r.created_at, r.body->>'to_account_id', v.status, v.reason
FROM request r LEFT JOIN merge_view v ON v.merge_id = r.id
WHERE r.id = %(id)s AND r.kind = 'merge';
