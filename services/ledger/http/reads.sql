-- What the ledger's HTTP asks. `{shard}` is a shard's number: a shard's events are in a partition of their own. Every
-- list goes along an index: tests/integration/test_ledger_plans.py.

-- name: alive
SELECT 1;

-- name: stream_begins
SELECT data FROM event_{shard} WHERE stream = $1::text AND version = 1;

-- name: balances_of
SELECT code, sub_key, currency, debit_minor::bigint, credit_minor::bigint, position FROM balance
WHERE account_id = $1::text AND tenant = $2::text
    AND (code, sub_key, currency) > ($3::text, $4::text, $5::text)
ORDER BY code, sub_key, currency LIMIT $6::bigint;

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

-- name: entry
SELECT {shard}, position, version, data FROM event_{shard} WHERE event_id = $1::uuid;

-- name: folded
SELECT name, version, shard, position FROM projection_cursor WHERE source = 'ledger' AND shard = ANY ($1::integer[]);

-- name: taken
SELECT topic, shard, position FROM cursor WHERE source_shard = shard AND shard = ANY ($1::integer[]);

-- name: ends
SELECT shard, next_position - 1 FROM shard WHERE shard = ANY ($1::integer[]);
