-- name: add
INSERT INTO balance (account_id, code, sub_key, currency, debit_minor, credit_minor, position)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::numeric[], %s::numeric[], %s::bigint[])
ON CONFLICT (account_id, code, sub_key, currency) DO UPDATE SET
    debit_minor = balance.debit_minor + excluded.debit_minor,
    credit_minor = balance.credit_minor + excluded.credit_minor,
    position = excluded.position;

-- name: make_part
CREATE TEMPORARY TABLE IF NOT EXISTS balance_part (LIKE balance);

-- name: copy_part
COPY balance_part (account_id, code, sub_key, currency, debit_minor, credit_minor, position) FROM STDIN;

-- name: room
SET LOCAL work_mem = '64MB';

-- name: add_parts
INSERT INTO balance (account_id, code, sub_key, currency, debit_minor, credit_minor, position)
SELECT account_id, code, sub_key, currency, sum(debit_minor), sum(credit_minor), max(position)
FROM balance_part GROUP BY account_id, code, sub_key, currency
ORDER BY account_id, code, sub_key, currency
ON CONFLICT (account_id, code, sub_key, currency) DO UPDATE SET
    debit_minor = balance.debit_minor + excluded.debit_minor,
    credit_minor = balance.credit_minor + excluded.credit_minor,
    position = excluded.position;

-- name: drop_part
DROP TABLE balance_part;
