-- name: fold
INSERT INTO history_view (source, shard, position, account_id, type, recorded_at, effective_date, subject, amount_minor,
                          currency, reason, rule, payment_id, postings)
SELECT source, shard, position, account_id, type, recorded_at, effective_date, subject, amount_minor, currency, reason,
    rule, payment_id, postings::jsonb
FROM unnest(%s::text[], %s::integer[], %s::bigint[], %s::text[], %s::text[], %s::timestamptz[], %s::date[], %s::text[],
            %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
    AS f (source, shard, position, account_id, type, recorded_at, effective_date, subject, amount_minor, currency,
          reason, rule, payment_id, postings);
