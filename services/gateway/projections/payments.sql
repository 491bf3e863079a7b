-- name: fold
-- What was lost of a payment only grows; once all of it is, the payment is reversed and stays so.
INSERT INTO payment_view AS v
    (payment_id, billing_status, reason, settled_at, settled_on, allocations, ledger_position, held_until,
     twin_payment_id, action_url, action_expires_at, settled_minor, lost_minor, taken_minor)
SELECT payment_id, CASE WHEN lost_minor >= settled_minor THEN 'reversed' ELSE billing_status END, reason, settled_at,
    settled_on, allocations::jsonb, ledger_position, held_until, twin_payment_id, action_url, action_expires_at,
    settled_minor, lost_minor, taken_minor
FROM unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::date[], %s::text[], %s::bigint[],
            %s::timestamptz[], %s::text[], %s::text[], %s::timestamptz[], %s::numeric[], %s::numeric[], %s::numeric[])
    AS f (payment_id, billing_status, reason, settled_at, settled_on, allocations, ledger_position, held_until,
          twin_payment_id, action_url, action_expires_at, settled_minor, lost_minor, taken_minor)
ON CONFLICT (payment_id) DO UPDATE
SET billing_status = CASE
        WHEN v.lost_minor + excluded.lost_minor >= coalesce(v.settled_minor, excluded.settled_minor) THEN 'reversed'
        ELSE coalesce(excluded.billing_status, v.billing_status) END,
    reason = coalesce(excluded.reason, v.reason),
    settled_at = coalesce(excluded.settled_at, v.settled_at),
    settled_on = coalesce(excluded.settled_on, v.settled_on),
    allocations = coalesce(v.allocations, excluded.allocations),
    ledger_position = coalesce(v.ledger_position, excluded.ledger_position),
    held_until = coalesce(excluded.held_until, v.held_until),
    twin_payment_id = coalesce(excluded.twin_payment_id, v.twin_payment_id),
    action_url = coalesce(excluded.action_url, v.action_url),
    action_expires_at = coalesce(excluded.action_expires_at, v.action_expires_at),
    settled_minor = coalesce(v.settled_minor, excluded.settled_minor),
    lost_minor = v.lost_minor + excluded.lost_minor,
    taken_minor = v.taken_minor + excluded.taken_minor;

-- name: allocations
INSERT INTO allocation_view AS v (payment_id, invoice_id, policy_id, coverage_month, amount_minor)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::numeric[])
ON CONFLICT (payment_id, invoice_id, policy_id, coverage_month) DO UPDATE
SET amount_minor = v.amount_minor + excluded.amount_minor;

-- name: disputes
INSERT INTO dispute_view AS v (chargeback_id, payment_id, ended)
SELECT * FROM unnest(%s::text[], %s::text[], %s::boolean[])
ON CONFLICT (chargeback_id) DO UPDATE SET ended = v.ended OR excluded.ended;
