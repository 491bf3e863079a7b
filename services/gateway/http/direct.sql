-- What is asked of entries by hand, of their reversals, and of ledger accounts.

-- name: journal
SELECT r.shard, r.position, r.created_at, r.body, p.status, p.reason, p.field, p.proposed_by, p.note_version, p.entry_id,
    p.approvals_needed, p.approvals_given, p.digest, p.approve_by
FROM request r LEFT JOIN proposal_view p ON p.proposal_id = r.id
WHERE r.id = %(id)s AND r.kind = 'journal';

-- name: reversal
SELECT r.id, r.shard, r.position, r.created_at, r.body, p.status, p.reason, p.field, p.proposed_by, p.note_version,
    p.entry_id, p.approvals_needed, p.approvals_given, p.digest, p.approve_by, p.currency, p.legs
FROM request r LEFT JOIN proposal_view p ON p.proposal_id = r.id
WHERE r.id = %(id)s AND r.kind = 'reversal';

-- name: reversals
SELECT r.id, r.shard, r.position, r.created_at, r.body, p.status, p.reason, p.field, p.proposed_by, p.note_version,
    p.entry_id, p.approvals_needed, p.approvals_given, p.digest, p.approve_by, p.currency, p.legs
FROM request r LEFT JOIN proposal_view p ON p.proposal_id = r.id
WHERE r.subject = %(entry_id)s AND r.tenant = %(tenant)s AND r.kind = 'reversal'
    AND (%(before_at)s::timestamptz IS NULL OR (r.created_at, r.id) < (%(before_at)s::timestamptz, %(before_id)s::text))
ORDER BY r.created_at DESC, r.id DESC LIMIT %(limit)s;

-- name: proposal
SELECT proposal_id FROM proposal_view
WHERE subject = %(subject)s AND tenant = %(tenant)s AND digest = %(digest)s
ORDER BY status = 'awaiting_approval' DESC, position DESC LIMIT 1;

-- name: ledger_account
SELECT a.ledger_account_id, a.code, a.sub_key, a.currency, a.shard, a.position, a.named_at, a.status, p.status, p.reason,
    p.change, p.approvals_needed, p.approvals_given, p.digest, p.approve_by
FROM ledger_account_view a
LEFT JOIN LATERAL (SELECT * FROM proposal_view v WHERE v.subject = a.ledger_account_id
                   ORDER BY v.position DESC LIMIT 1) p ON true
WHERE a.ledger_account_id = %(id)s AND a.tenant = %(tenant)s;

-- name: ledger_accounts
SELECT a.ledger_account_id, a.code, a.sub_key, a.currency, a.shard, a.position, a.named_at, a.status, p.status, p.reason,
    p.change, p.approvals_needed, p.approvals_given, p.digest, p.approve_by
FROM ledger_account_view a
LEFT JOIN LATERAL (SELECT * FROM proposal_view v WHERE v.subject = a.ledger_account_id
                   ORDER BY v.position DESC LIMIT 1) p ON true
WHERE a.tenant = %(tenant)s AND (%(code)s::text IS NULL OR a.code = %(code)s::text)
    AND (%(status)s::text IS NULL OR %(status)s::text = coalesce(
        a.status, CASE p.status WHEN 'awaiting_approval' THEN 'proposed' ELSE p.status END))
    AND (%(before_at)s::timestamptz IS NULL
         OR (a.named_at, a.ledger_account_id) < (%(before_at)s::timestamptz, %(before_id)s::text))
ORDER BY a.named_at DESC, a.ledger_account_id DESC LIMIT %(limit)s;

-- name: opening
SELECT r.subject, r.body->>'code', r.body->>'sub_key', r.body->>'currency', r.shard, r.position, p.status, p.reason,
    p.change, p.approvals_needed, p.approvals_given, p.digest, p.approve_by
FROM request r LEFT JOIN proposal_view p ON p.proposal_id = r.id
WHERE r.id = %(id)s;

-- name: openings
SELECT r.subject, r.body->>'code', r.body->>'sub_key', r.body->>'currency', r.shard, r.position, p.status, p.reason,
    p.change, p.approvals_needed, p.approvals_given, p.digest, p.approve_by
FROM request r LEFT JOIN proposal_view p ON p.proposal_id = r.id
WHERE r.subject = %(id)s AND r.tenant = %(tenant)s AND r.operation = 'ledger-accounts.open'
ORDER BY r.created_at DESC, r.id DESC LIMIT 1;
