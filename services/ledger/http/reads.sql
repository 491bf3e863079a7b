-- What the ledger's HTTP asks. `{shard}` is a shard's number: a shard's events are in a partition of their own. Every
-- list goes along an index: tests/integration/test_ledger_plans.py.

-- name: alive
SELECT 1;

-- name: stream_begins
SELECT data FROM event_{shard} WHERE stream = $1::text AND version = 1;

-- name: balances_of
SELECT code, sub_key, currency, debit_minor::bigint, credit_minor::bigint, position FROM balance
WHERE account_id = $1::text AND (code, sub_key, currency) > ($2::text, $3::text, $4::text)
ORDER BY code, sub_key, currency LIMIT $5::bigint;

-- name: entries_of
SELECT {shard}, position, version, data FROM event_{shard}
WHERE stream = $1::text AND version < $2::bigint AND type = 'ledger.entry-posted.v1'
ORDER BY version DESC LIMIT $3::bigint;

-- name: entries_of_between
SELECT {shard}, ev.position, ev.version, ev.data
FROM event_{shard} ev JOIN entry en ON en.shard = {shard} AND en.position = ev.position
WHERE ev.stream = $1::text AND ev.version < $2::bigint AND en.effective_date BETWEEN $4::date AND $5::date
ORDER BY ev.version DESC LIMIT $3::bigint;

-- name: entries_of_payment
SELECT {shard}, ev.position, ev.position, ev.data
FROM entry en JOIN event_{shard} ev ON ev.position = en.position
WHERE en.shard = {shard} AND en.payment_id = $1::text AND en.tenant = $2::text AND en.position < $3::bigint
    AND en.effective_date BETWEEN $5::date AND $6::date
ORDER BY en.position DESC LIMIT $4::bigint;

-- name: entries_between
SELECT ev.shard, ev.position, en.effective_date, ev.data
FROM (SELECT shard, position, effective_date FROM entry
      WHERE tenant = $1::text AND effective_date >= $2::date
          AND (effective_date, shard, position) < ($3::date, $4::integer, $5::bigint)
      ORDER BY effective_date DESC, shard DESC, position DESC LIMIT $6::bigint) AS en
CROSS JOIN LATERAL (
    SELECT shard, position, data FROM event WHERE event.shard = en.shard AND event.position = en.position OFFSET 0
) AS ev
ORDER BY en.effective_date DESC, ev.shard DESC, ev.position DESC;

-- name: accounts_with
SELECT account_id, currency, debit_minor::bigint, credit_minor::bigint FROM balance
WHERE code = $1::text AND sub_key = $2::text ORDER BY account_id, currency LIMIT $3::bigint;

-- name: stream_from
SELECT {shard}, position, version, data FROM event_{shard}
WHERE stream = $1::text AND version > $2::bigint AND type = 'ledger.entry-posted.v1'
ORDER BY version LIMIT $3::bigint;

-- name: house_entries
SELECT ev.shard, ev.position, en.day, ev.data
FROM (SELECT DISTINCT day, shard, position FROM house_posting
      WHERE tenant = $1::text AND code = $2::text AND sub_key = $3::text AND currency = $4::text AND day >= $5::date
          AND (day, shard, position) < ($6::date, $7::integer, $8::bigint)
      ORDER BY day DESC, shard DESC, position DESC LIMIT $9::bigint) AS en
CROSS JOIN LATERAL (
    SELECT shard, position, data FROM event WHERE event.shard = en.shard AND event.position = en.position OFFSET 0
) AS ev
ORDER BY en.day DESC, ev.shard DESC, ev.position DESC;

-- name: entry
SELECT {shard}, position, version, data FROM event_{shard} WHERE event_id = $1::uuid;

-- name: house_sums_of_code
SELECT sub_key, currency, sum(debit_minor)::text, sum(credit_minor)::text FROM ledger_day
WHERE code = $1::text AND tenant = $2::text AND (sub_key, currency) > ($3::text, $4::text)
GROUP BY sub_key, currency ORDER BY sub_key, currency LIMIT $5::bigint;

-- name: house_sums_of_sub_key
SELECT sub_key, currency, sum(debit_minor)::text, sum(credit_minor)::text FROM ledger_day
WHERE code = $1::text AND tenant = $2::text AND sub_key = $3::text AND currency > $4::text
GROUP BY sub_key, currency ORDER BY sub_key, currency LIMIT $5::bigint;

-- name: house_statement
WITH before AS (
    SELECT coalesce((SELECT sum(debit_minor - credit_minor) FROM ledger_day
                     WHERE tenant = $1::text AND code = $2::text AND sub_key = $3::text AND currency = $4::text
                         AND day < $5::date), 0)
        + coalesce((SELECT sum(debit_minor - credit_minor) FROM house_posting
                    WHERE tenant = $1::text AND code = $2::text AND sub_key = $3::text AND currency = $4::text
                        AND day = $5::date AND (shard, position) <= ($6::integer, $7::bigint)), 0) AS minor
), page AS (
    SELECT day, shard, position, debit_minor, credit_minor FROM house_posting
    WHERE tenant = $1::text AND code = $2::text AND sub_key = $3::text AND currency = $4::text
        AND (day, shard, position) > ($5::date, $6::integer, $7::bigint) AND day <= $8::date
    ORDER BY day, shard, position LIMIT $9::bigint
)
SELECT before.minor::text, page.day, page.shard, page.position, page.debit_minor, page.credit_minor, ev.data
FROM before, page
CROSS JOIN LATERAL (
    SELECT data FROM event WHERE event.shard = page.shard AND event.position = page.position OFFSET 0
) AS ev
ORDER BY page.day, page.shard, page.position;

-- name: trial_balance
SELECT code, currency, sum(debit_minor)::text, sum(credit_minor)::text,
    (SELECT json_object_agg(shard, position ORDER BY shard)::text FROM projection_cursor
     WHERE name = $3::text AND version = $4::integer AND source = 'ledger')
FROM ledger_day WHERE tenant = $1::text AND day <= $2::date
GROUP BY code, currency ORDER BY code, currency;

-- name: folded
SELECT name, version, shard, position FROM projection_cursor WHERE source = 'ledger' AND shard = ANY ($1::integer[]) ORDER BY name, version;

-- name: taken
SELECT topic, shard, position FROM cursor WHERE source_shard = shard AND shard = ANY ($1::integer[]);

-- name: ends
SELECT shard, next_position - 1 FROM shard WHERE shard = ANY ($1::integer[]);
