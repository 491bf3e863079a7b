-- name: add
INSERT INTO entry (shard, position, tenant, effective_date, payment_id)
SELECT * FROM unnest(%s::integer[], %s::bigint[], %s::text[], %s::date[], %s::text[]);
