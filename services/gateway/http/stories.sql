-- What is asked by those who follow stories.

-- name: story_ends
SELECT account.id, source.name, last.position
FROM unnest(%(accounts)s::text[]) AS account (id)
CROSS JOIN unnest(%(sources)s::text[]) AS source (name)
CROSS JOIN LATERAL (SELECT h.position FROM history_view h
                    WHERE h.account_id = account.id AND h.source = source.name
                    ORDER BY h.position DESC LIMIT 1) last;

-- name: story_after
SELECT wanted.follower, h.*
FROM unnest(%(followers)s::integer[], %(accounts)s::text[], %(sources)s::text[], %(after)s::bigint[])
    AS wanted (follower, account_id, source, after)
CROSS JOIN LATERAL (
    SELECT source, shard, position, type, recorded_at, effective_date, subject, amount_minor, currency, reason, rule,
        payment_id, postings, account_id
    FROM history_view
    WHERE account_id = wanted.account_id AND source = wanted.source AND position > wanted.after
    ORDER BY position LIMIT %(limit)s) h;
