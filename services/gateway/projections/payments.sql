-- name: fold
INSERT INTO payment_view AS v
    (payment_id, billing_status, reason, settled_at, settled_on, allocations, ledger_position)
SELECT payment_id, billing_status, reason, settled_at, settled_on, allocations::jsonb, ledger_position
FROM unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::date[], %s::text[], %s::bigint[])
    AS f (payment_id, billing_status, reason, settled_at, settled_on, allocations, ledger_position)
ON CONFLICT (payment_id) DO UPDATE
SET billing_status = coalesce(excluded.billing_status, v.billing_status),
    reason = coalesce(excluded.reason, v.reason),
    settled_at = coalesce(excluded.settled_at, v.settled_at),
    settled_on = coalesce(excluded.settled_on, v.settled_on),
    allocations = coalesce(excluded.allocations, v.allocations),
    ledger_position = coalesce(v.ledger_position, excluded.ledger_position);
