-- `uneven`: the references whose sides differ now, or differed on a day from `since` on. All lines of each are looked up
-- by the key (OFFSET keeps it so): most lines of a long life are of references that are even.

-- name: reports
SELECT account, sub_key, currency, day::text, tenant, closing_minor, taken_at
FROM (SELECT *, max(day) OVER (PARTITION BY account, sub_key, currency) AS newest
      FROM reconciliation_report WHERE shard = %s) AS report
WHERE day > newest - %s::integer
ORDER BY account, sub_key, currency, day;

-- name: book_days
SELECT day::text, sum(minor) FROM reconciliation_book_day
WHERE account = %(account)s AND sub_key = %(sub_key)s AND currency = %(currency)s GROUP BY day ORDER BY day;

-- name: uneven
SELECT uneven.reference, day::text, book_count, book_minor, outside_count, outside_minor
FROM (
    SELECT reference FROM reconciliation_match
    WHERE account = %(account)s AND sub_key = %(sub_key)s AND currency = %(currency)s AND book_minor <> outside_minor
    GROUP BY reference
    HAVING sum(book_minor) <> sum(outside_minor) OR max(day) >= %(since)s::date
) AS uneven
CROSS JOIN LATERAL (
    SELECT day, book_count, book_minor, outside_count, outside_minor FROM reconciliation_match
    WHERE account = %(account)s AND sub_key = %(sub_key)s AND currency = %(currency)s
        AND reference = uneven.reference
    OFFSET 0
) AS moved
ORDER BY uneven.reference COLLATE "C", day;

-- name: moved
SELECT reference, day::text, book_count, book_minor, outside_count, outside_minor FROM reconciliation_match
WHERE account = %(account)s AND sub_key = %(sub_key)s AND currency = %(currency)s
    AND reference = ANY (%(references)s::text[]);
