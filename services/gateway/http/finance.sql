-- What is asked of bank statements and of the reconciliation.

-- name: statement
SELECT r.shard, r.position, r.created_at, r.body->>'bank_account', r.body->>'day', r.body->>'currency',
    (r.body->>'opening_minor')::bigint, (r.body->>'closing_minor')::bigint, jsonb_array_length(r.body->'lines'),
    v.imported_at, v.reason
FROM request r LEFT JOIN statement_view v ON v.statement_id = r.id
WHERE r.id = %(id)s AND r.kind = 'statement';

-- name: cheques
SELECT id, account_id FROM request
WHERE id = ANY (%(ids)s) AND tenant = %(tenant)s AND kind = 'payment' AND NOT body ? 'method';

-- name: day
SELECT account, sub_key, currency, book_minor, bank_minor, processor_minor, difference_minor, unexplained_minor,
    open_exceptions, shard, position
FROM reconciliation_view
WHERE tenant = %(tenant)s AND day = %(day)s::date
ORDER BY account, sub_key, currency;

-- name: exception
SELECT account, sub_key FROM exception_view WHERE tenant = %(tenant)s AND id = %(id)s;

-- name: exceptions
SELECT id, account, sub_key, currency, kind, minor, since, state, reason, reference_list, explained_by, note_version
FROM exception_view
WHERE tenant = %(tenant)s AND (%(account)s::text IS NULL OR account = %(account)s::text)
    AND (%(after_day)s::date IS NULL OR (since, id) > (%(after_day)s::date, %(after_id)s::text))
ORDER BY since, id LIMIT %(limit)s;

-- name: exceptions_in
SELECT id, account, sub_key, currency, kind, minor, since, state, reason, reference_list, explained_by, note_version
FROM exception_view
WHERE tenant = %(tenant)s AND state = %(state)s AND (%(account)s::text IS NULL OR account = %(account)s::text)
    AND (%(after_day)s::date IS NULL OR (since, id) > (%(after_day)s::date, %(after_id)s::text))
ORDER BY since, id LIMIT %(limit)s;
