-- name: tenants
WITH RECURSIVE found AS (
    (SELECT tenant FROM ledger_day ORDER BY tenant LIMIT 1)
    UNION ALL
    SELECT (SELECT tenant FROM ledger_day WHERE tenant > found.tenant ORDER BY tenant LIMIT 1)
    FROM found WHERE found.tenant IS NOT NULL
)
SELECT tenant FROM found WHERE tenant IS NOT NULL;

-- name: days
SELECT greatest(day, %(first)s::date - 1) AS on_day, code, currency, sum(debit_minor), sum(credit_minor)
FROM ledger_day WHERE tenant = %(tenant)s AND day < %(today)s
GROUP BY on_day, code, currency;
