-- name: days
INSERT INTO reconciliation_view AS v
    (tenant, day, account, sub_key, currency, shard, position, book_minor, bank_minor, processor_minor,
     difference_minor, unexplained_minor, open_exceptions)
SELECT tenant, day, account, sub_key, currency, shard, position, book_minor, bank_minor, processor_minor,
    difference_minor, unexplained_minor, open_exceptions::jsonb
FROM unnest(%s::text[], %s::date[], %s::text[], %s::text[], %s::text[], %s::integer[], %s::bigint[], %s::bigint[],
            %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[])
    AS f (tenant, day, account, sub_key, currency, shard, position, book_minor, bank_minor, processor_minor,
          difference_minor, unexplained_minor, open_exceptions)
ON CONFLICT (tenant, day, account, sub_key, currency) DO UPDATE
SET shard = excluded.shard, position = excluded.position, book_minor = excluded.book_minor,
    bank_minor = excluded.bank_minor, processor_minor = excluded.processor_minor,
    difference_minor = excluded.difference_minor, unexplained_minor = excluded.unexplained_minor,
    open_exceptions = excluded.open_exceptions
WHERE v.position < excluded.position;

-- name: exceptions
INSERT INTO exception_view AS v
    (tenant, id, shard, position, account, sub_key, currency, kind, minor, since, state, reason, reference_list,
     explained_by, note_version)
SELECT tenant, id, shard, position, account, sub_key, currency, kind, minor, since, state, reason,
    reference_list::jsonb, explained_by, note_version
FROM unnest(%s::text[], %s::text[], %s::integer[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[],
            %s::bigint[], %s::date[], %s::text[], %s::text[], %s::text[], %s::text[], %s::integer[])
    AS f (tenant, id, shard, position, account, sub_key, currency, kind, minor, since, state, reason, reference_list,
          explained_by, note_version)
ON CONFLICT (tenant, id) DO UPDATE
SET shard = excluded.shard, position = excluded.position, account = excluded.account, sub_key = excluded.sub_key,
    currency = excluded.currency, kind = excluded.kind, minor = excluded.minor, since = excluded.since,
    state = excluded.state, reason = excluded.reason, reference_list = excluded.reference_list,
    explained_by = excluded.explained_by, note_version = excluded.note_version
WHERE v.position < excluded.position;
