-- name: add
INSERT INTO entry (entry_id, account_id, shard, position, group_id, rule, cause_type, cause, payment_id, invoice_id,
                   processor_ref, effective_date, recorded_at, currency, postings)
SELECT * FROM unnest(%s::text[], %s::text[], %s::integer[], %s::bigint[], %s::text[], %s::text[], %s::text[],
                     %s::text[], %s::text[], %s::text[], %s::text[], %s::date[], %s::timestamptz[], %s::text[],
                     %s::jsonb[]);
