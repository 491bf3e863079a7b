-- A line of the other side is known by its own name: read in a second report of the day, it is the same line.

-- name: add_lines
INSERT INTO reconciliation_line (shard, position, ordinal, origin, account, sub_key, currency, reference, name, kind,
                                 day, minor)
SELECT * FROM unnest(%s::integer[], %s::bigint[], %s::integer[], %s::text[], %s::text[], %s::text[], %s::text[],
                     %s::text[], %s::text[], %s::text[], %s::date[], %s::bigint[])
ON CONFLICT (account, sub_key, name) WHERE origin = 'outside' DO NOTHING
RETURNING shard, position, ordinal;

-- name: add_book_days
INSERT INTO reconciliation_book_day (shard, account, sub_key, currency, day, minor)
SELECT * FROM unnest(%s::integer[], %s::text[], %s::text[], %s::text[], %s::date[], %s::numeric[])
ON CONFLICT (account, sub_key, currency, day, shard) DO UPDATE SET
    minor = reconciliation_book_day.minor + excluded.minor;

-- name: add_matches
INSERT INTO reconciliation_match (account, sub_key, currency, reference, day, book_count, book_minor, outside_count,
                                  outside_minor)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::date[], %s::integer[], %s::numeric[],
                     %s::integer[], %s::numeric[])
ON CONFLICT (account, sub_key, currency, reference, day) DO UPDATE SET
    book_count = reconciliation_match.book_count + excluded.book_count,
    book_minor = reconciliation_match.book_minor + excluded.book_minor,
    outside_count = reconciliation_match.outside_count + excluded.outside_count,
    outside_minor = reconciliation_match.outside_minor + excluded.outside_minor;

-- name: put_report
INSERT INTO reconciliation_report (account, sub_key, currency, day, tenant, closing_minor, taken_at, shard, position)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (account, sub_key, currency, day) DO UPDATE SET
    tenant = excluded.tenant, closing_minor = excluded.closing_minor, taken_at = excluded.taken_at,
    shard = excluded.shard, position = excluded.position;

-- name: put_day
INSERT INTO reconciliation_day (account, sub_key, day, currency, book_minor, bank_minor, processor_minor,
                                difference_minor, unexplained_minor, open_exceptions, positions, shard, position)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (account, sub_key, day, currency) DO UPDATE SET
    book_minor = excluded.book_minor, bank_minor = excluded.bank_minor, processor_minor = excluded.processor_minor,
    difference_minor = excluded.difference_minor, unexplained_minor = excluded.unexplained_minor,
    open_exceptions = excluded.open_exceptions, positions = excluded.positions, shard = excluded.shard,
    position = excluded.position;

-- name: put_exception
INSERT INTO reconciliation_exception (id, account, sub_key, currency, kind, minor, since, state, reason, reference,
                                      shard, position)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (id) DO UPDATE SET
    kind = excluded.kind, minor = excluded.minor, since = excluded.since, state = excluded.state,
    reason = excluded.reason, shard = excluded.shard, position = excluded.position;
