-- name: fold
INSERT INTO balance_view AS v (account_id, code, currency, debit_minor, credit_minor)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::numeric[], %s::numeric[])
ON CONFLICT (account_id, code, currency) DO UPDATE
SET debit_minor = v.debit_minor + excluded.debit_minor, credit_minor = v.credit_minor + excluded.credit_minor;
