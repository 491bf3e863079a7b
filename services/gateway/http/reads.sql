-- What the HTTP processes ask. A status is computed by services/gateway/domain/payment.py and, for a filter, here; a test
-- holds both equal.

-- name: alive
SELECT 1;

-- name: known
SELECT id, tenant, kind, account_id FROM request WHERE id = %(id)s;

-- name: made
SELECT invoice_id, tenant, 'invoice', account_id FROM invoice_view WHERE invoice_id = %(id)s AND tenant IS NOT NULL
UNION ALL
SELECT case_id, tenant, 'case', account_id FROM case_view WHERE case_id = %(id)s
UNION ALL
SELECT refund_id, tenant, 'refund', account_id FROM refund_view WHERE refund_id = %(id)s
UNION ALL
SELECT transfer_id, tenant, 'transfer', account_id FROM transfer_view WHERE transfer_id = %(id)s;

-- name: digest
SELECT digest FROM request WHERE id = %(id)s;

-- name: payment
SELECT r.id, r.account_id, r.reference, r.shard, r.position, r.created_at, r.body, p.billing_status, p.ledger_position,
    p.reason, p.settled_at, p.paid_lines, p.held_until, p.twin_payment_id, p.action_url, p.action_expires_at,
    coalesce(p.refunded_minor, 0), coalesce(p.disputed, false), coalesce(p.unapplied_minor, 0)
FROM request r LEFT JOIN payment_money p ON p.payment_id = r.id
WHERE r.id = %(id)s AND r.kind = 'payment';

-- name: payments_of
SELECT r.id, r.account_id, r.reference, r.shard, r.position, r.created_at, r.body, p.billing_status, p.ledger_position,
    p.reason, p.settled_at, p.paid_lines, p.held_until, p.twin_payment_id, p.action_url, p.action_expires_at,
    coalesce(p.refunded_minor, 0), coalesce(p.disputed, false), coalesce(p.unapplied_minor, 0)
FROM request r LEFT JOIN payment_money p ON p.payment_id = r.id
WHERE r.account_id = %(account_id)s AND r.kind = 'payment'
    AND (%(before_at)s::timestamptz IS NULL OR (r.created_at, r.id) < (%(before_at)s::timestamptz, %(before_id)s::text))
    AND (%(from)s::timestamptz IS NULL OR r.created_at >= %(from)s::timestamptz)
    AND (%(until)s::timestamptz IS NULL OR r.created_at < %(until)s::timestamptz)
    AND (%(status)s::text IS NULL OR %(status)s::text = CASE
        WHEN p.billing_status IS NULL THEN 'accepted'
        WHEN p.billing_status = 'settled' AND p.ledger_position IS NULL THEN 'pending'
        ELSE p.billing_status END)
ORDER BY r.created_at DESC, r.id DESC LIMIT %(limit)s;

-- name: receipt
SELECT i.number, p.settled_on, p.allocations,
    (SELECT min(n.sent_at) FROM notice_view n
     WHERE n.account_id = r.account_id AND n.reference = r.reference AND n.kind = 'payment_receipt')
FROM request r JOIN payment_view p ON p.payment_id = r.id
LEFT JOIN invoice_view i ON i.invoice_id = r.body->>'invoice_id'
WHERE r.id = %(id)s;

-- name: invoices
SELECT r.id, r.account_id, 'gateway', r.shard, r.position, r.created_at, r.body->>'due_date', r.body->>'currency',
    r.body->'lines', i.number, i.total_minor, i.paid_minor, i.reason, i.voided_minor, i.is_void
FROM request r LEFT JOIN invoice_view i ON i.invoice_id = r.id
WHERE r.id = %(id)s AND r.kind = 'invoice'
UNION ALL
SELECT i.invoice_id, i.account_id, 'billing', i.shard, i.position, i.issued_at, i.due_date::text, i.currency, i.lines,
    i.number, i.total_minor, i.paid_minor, i.reason, i.voided_minor, i.is_void
FROM invoice_view i
WHERE i.invoice_id = %(id)s AND i.issued_at IS NOT NULL
    AND NOT EXISTS (SELECT FROM request r WHERE r.id = i.invoice_id);

-- name: invoices_of
(SELECT r.id, r.account_id, 'gateway', r.shard, r.position, r.created_at, r.body->>'due_date', r.body->>'currency',
    r.body->'lines', i.number, i.total_minor, i.paid_minor, i.reason, i.voided_minor, i.is_void
FROM request r LEFT JOIN invoice_view i ON i.invoice_id = r.id
WHERE r.account_id = %(account_id)s AND r.kind = 'invoice'
    AND (%(before_at)s::timestamptz IS NULL OR (r.created_at, r.id) < (%(before_at)s::timestamptz, %(before_id)s::text))
ORDER BY r.created_at DESC, r.id DESC LIMIT %(limit)s)
UNION ALL
(SELECT i.invoice_id, i.account_id, 'billing', i.shard, i.position, i.issued_at, i.due_date::text, i.currency, i.lines,
    i.number, i.total_minor, i.paid_minor, i.reason, i.voided_minor, i.is_void
FROM invoice_view i
WHERE i.account_id = %(account_id)s AND NOT EXISTS (SELECT FROM request r WHERE r.id = i.invoice_id)
    AND (%(before_at)s::timestamptz IS NULL
         OR (i.issued_at, i.invoice_id) < (%(before_at)s::timestamptz, %(before_id)s::text))
ORDER BY i.issued_at DESC, i.invoice_id DESC LIMIT %(limit)s)
ORDER BY 6 DESC, 1 DESC LIMIT %(limit)s;

-- name: policies
SELECT DISTINCT line->>'policy_id'
FROM (SELECT body->'lines' AS lines FROM request WHERE id = %(id)s AND kind = 'invoice'
      UNION ALL SELECT lines FROM invoice_view WHERE invoice_id = %(id)s) bill,
    jsonb_array_elements(bill.lines) line;

-- name: account
SELECT r.shard, r.position, r.created_at, r.body->>'language', a.opened_at, a.reason, a.moved_to,
    (SELECT coalesce(sum(i.total_minor - i.voided_minor - i.paid_minor), 0)::bigint FROM invoice_view i
     WHERE i.account_id = r.id AND i.paid_minor < i.total_minor - i.voided_minor),
    (SELECT min(i.due_date) FROM invoice_view i
     WHERE i.account_id = r.id AND i.paid_minor < i.total_minor - i.voided_minor),
    (SELECT coalesce(sum(b.credit_minor - b.debit_minor), 0)::bigint FROM balance_view b
     WHERE b.account_id = r.id AND b.code = '2110')
FROM request r LEFT JOIN account_view a ON a.account_id = r.id
WHERE r.id = %(id)s AND r.kind = 'account';

-- name: balances
SELECT code, currency, debit_minor::bigint, credit_minor::bigint FROM balance_view
WHERE account_id = %(account_id)s ORDER BY code, currency;

-- name: history
SELECT source, shard, position, type, recorded_at, effective_date, subject, amount_minor, currency, reason, rule,
    payment_id, postings, account_id
FROM history_view
WHERE account_id = %(account_id)s
    AND (%(before_at)s::timestamptz IS NULL OR (recorded_at, source, position)
         < (%(before_at)s::timestamptz, %(before_source)s::text, %(before_position)s::bigint))
ORDER BY recorded_at DESC, source DESC, position DESC LIMIT %(limit)s;

-- name: ready
SELECT EXISTS (SELECT FROM account_view WHERE account_id = %(account_id)s),
    EXISTS (SELECT FROM parked WHERE shard = %(shard)s AND key = %(account_id)s AND released_at IS NULL);

-- name: finals
SELECT account_id FROM account_view WHERE account_id = ANY (%(ids)s)
UNION ALL
SELECT invoice_id FROM invoice_view
WHERE invoice_id = ANY (%(ids)s) AND (total_minor IS NOT NULL OR reason IS NOT NULL)
UNION ALL
SELECT payment_id FROM payment_view
WHERE payment_id = ANY (%(ids)s)
    AND (billing_status IN ('refused', 'held', 'action_required', 'declined', 'cancelled', 'reversed')
         OR (billing_status = 'settled' AND ledger_position IS NOT NULL))
UNION ALL
SELECT refund_id FROM refund_view
WHERE refund_id = ANY (%(ids)s) AND status IN ('refused', 'awaiting_approval', 'completed', 'bounced', 'cancelled')
UNION ALL
SELECT transfer_id FROM transfer_view LEFT JOIN transfer_posted_view p USING (transfer_id)
WHERE transfer_id = ANY (%(ids)s)
    AND (status = 'refused' OR (status IN ('completed', 'returned') AND p.debit_minor = p.credit_minor))
UNION ALL
SELECT merge_id FROM merge_view WHERE merge_id = ANY (%(ids)s) AND status IN ('refused', 'completed', 'ended')
UNION ALL
SELECT statement_id FROM statement_view WHERE statement_id = ANY (%(ids)s)
UNION ALL
SELECT proposal_id FROM proposal_view WHERE proposal_id = ANY (%(ids)s)
UNION ALL
SELECT request_id FROM request_view WHERE request_id = ANY (%(ids)s);

-- name: places
-- A projection that waits for its rebuild stands still; what is read may come out of it.
SELECT c.topic, c.source_shard, least(c.position, (
    SELECT min(coalesce(p.position, 0))
    FROM (SELECT DISTINCT name FROM projection_cursor) waiting
    LEFT JOIN projection_cursor p ON p.name = waiting.name AND p.source = split_part(c.topic, '.', 1)
        AND p.shard = c.source_shard))
FROM cursor c WHERE c.shard = ANY (%(shards)s) AND c.source_shard = c.shard;

-- name: ends
SELECT shard, next_position - 1 FROM shard WHERE shard = ANY (%(shards)s);
