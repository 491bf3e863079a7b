-- name: journals
SELECT stream FROM event WHERE shard = %s AND stream ^@ %s AND version = 1 ORDER BY stream;

-- name: balances
SELECT wanted.number, coalesce(sum(debit_minor - credit_minor), 0)
FROM unnest(%s::text[], %s::text[], %s::text[]) WITH ORDINALITY AS wanted (code, sub_key, currency, number)
LEFT JOIN balance ON balance.code = wanted.code AND balance.sub_key = wanted.sub_key
    AND balance.currency = wanted.currency
GROUP BY wanted.number ORDER BY wanted.number;
