-- name: published
SELECT position FROM balance_published WHERE shard = %s;

-- name: folded
SELECT position FROM projection_cursor
WHERE name = 'ledger.balances' AND source = 'ledger' AND shard = %s ORDER BY version DESC LIMIT 1;

-- name: balances
SELECT b.account_id, b.code, b.sub_key, b.currency, b.debit_minor, b.credit_minor, b.position
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[]) AS moved (account_id, code, sub_key, currency)
JOIN balance b USING (account_id, code, sub_key, currency);

-- name: publish
INSERT INTO balance_published (shard, position) VALUES (%s, %s)
ON CONFLICT (shard) DO UPDATE SET position = greatest(balance_published.position, excluded.position);
