-- name: add
INSERT INTO balance (account_id, code, sub_key, currency, debit_minor, credit_minor, position)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::numeric[], %s::numeric[], %s::bigint[])
ON CONFLICT (account_id, code, sub_key, currency) DO UPDATE SET
    debit_minor = balance.debit_minor + excluded.debit_minor,
    credit_minor = balance.credit_minor + excluded.credit_minor,
    position = excluded.position;
