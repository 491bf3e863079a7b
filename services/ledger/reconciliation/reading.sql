-- name: reports
SELECT processor, day::text, currency, tenant, closing_minor
FROM reconciliation_report
WHERE shard = %s AND day > (SELECT max(day) - %s::integer FROM reconciliation_report WHERE shard = %s)
ORDER BY processor, currency, day;

-- name: book_days
SELECT day::text, sum(minor) FROM reconciliation_book_day WHERE processor = %s AND currency = %s GROUP BY day ORDER BY day;

-- name: open_matches
SELECT reference, book_count, book_minor, book_on::text, processor_count, processor_minor, processor_on::text
FROM reconciliation_match
WHERE processor = %s AND currency = %s AND (book_minor <> processor_minor OR book_on IS DISTINCT FROM processor_on)
ORDER BY reference;
