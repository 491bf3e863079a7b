-- name: fold
INSERT INTO invoice_view AS v (invoice_id, account_id, number, due_date, currency, total_minor, reason, paid_minor)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::date[], %s::text[], %s::numeric[], %s::text[],
                     %s::numeric[])
ON CONFLICT (invoice_id) DO UPDATE
SET account_id = coalesce(v.account_id, excluded.account_id), number = coalesce(v.number, excluded.number),
    due_date = coalesce(v.due_date, excluded.due_date), currency = coalesce(v.currency, excluded.currency),
    total_minor = coalesce(v.total_minor, excluded.total_minor), reason = coalesce(v.reason, excluded.reason),
    paid_minor = v.paid_minor + excluded.paid_minor;
