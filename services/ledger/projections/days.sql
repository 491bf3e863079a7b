-- name: add_days
INSERT INTO ledger_day (tenant, code, sub_key, currency, day, shard, debit_minor, credit_minor)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::date[], %s::integer[], %s::numeric[],
                     %s::numeric[])
ON CONFLICT (tenant, code, sub_key, currency, day, shard) DO UPDATE SET
    debit_minor = ledger_day.debit_minor + excluded.debit_minor,
    credit_minor = ledger_day.credit_minor + excluded.credit_minor;

-- name: add_postings
INSERT INTO house_posting (tenant, code, sub_key, currency, day, shard, position, debit_minor, credit_minor)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::date[], %s::integer[], %s::bigint[],
                     %s::bigint[], %s::bigint[]);
