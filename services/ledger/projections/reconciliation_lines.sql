-- A line of a report is known by its transaction: read in a second report of the day, it is the same line.

-- name: add_lines
INSERT INTO reconciliation_line (shard, position, ordinal, origin, processor, currency, reference, transaction_ref,
                                 kind, day, minor)
SELECT * FROM unnest(%s::integer[], %s::bigint[], %s::integer[], %s::text[], %s::text[], %s::text[], %s::text[],
                     %s::text[], %s::text[], %s::date[], %s::bigint[])
ON CONFLICT (processor, transaction_ref) WHERE origin = 'processor' DO NOTHING
RETURNING shard, position, ordinal;

-- name: add_book_days
INSERT INTO reconciliation_book_day (shard, processor, currency, day, minor)
SELECT * FROM unnest(%s::integer[], %s::text[], %s::text[], %s::date[], %s::numeric[])
ON CONFLICT (shard, processor, currency, day) DO UPDATE SET minor = reconciliation_book_day.minor + excluded.minor;

-- name: add_matches
INSERT INTO reconciliation_match (processor, currency, reference, book_count, book_minor, book_on,
                                  processor_count, processor_minor, processor_on)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::integer[], %s::numeric[], %s::date[],
                     %s::integer[], %s::numeric[], %s::date[])
ON CONFLICT (processor, currency, reference) DO UPDATE SET
    book_count = reconciliation_match.book_count + excluded.book_count,
    book_minor = reconciliation_match.book_minor + excluded.book_minor,
    book_on = least(reconciliation_match.book_on, excluded.book_on),
    processor_count = reconciliation_match.processor_count + excluded.processor_count,
    processor_minor = reconciliation_match.processor_minor + excluded.processor_minor,
    processor_on = least(reconciliation_match.processor_on, excluded.processor_on);

-- name: put_report
INSERT INTO reconciliation_report (processor, day, currency, tenant, opening_minor, closing_minor, lines, shard, position)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (processor, day, currency) DO UPDATE SET
    tenant = excluded.tenant, opening_minor = excluded.opening_minor, closing_minor = excluded.closing_minor,
    lines = excluded.lines, shard = excluded.shard, position = excluded.position;

-- name: put_day
INSERT INTO reconciliation_day (account, sub_key, day, currency, book_minor, bank_minor, processor_minor,
                                difference_minor, open_exceptions, positions, shard, position)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (account, sub_key, day, currency) DO UPDATE SET
    book_minor = excluded.book_minor, bank_minor = excluded.bank_minor, processor_minor = excluded.processor_minor,
    difference_minor = excluded.difference_minor, open_exceptions = excluded.open_exceptions,
    positions = excluded.positions, shard = excluded.shard, position = excluded.position;
