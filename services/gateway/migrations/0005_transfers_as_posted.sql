-- What the ledger has posted on 2140 for a transfer: its legs are both there when what went in has come out.
CREATE TABLE transfer_posted_view (
    transfer_id  text PRIMARY KEY,
    debit_minor  numeric NOT NULL,
    credit_minor numeric NOT NULL
) WITH (fillfactor = 80);

INSERT INTO transfer_posted_view (transfer_id, debit_minor, credit_minor)
SELECT posting->>'sub_key',
    coalesce(sum((posting->>'amount_minor')::numeric) FILTER (WHERE posting->>'side' = 'D'), 0),
    coalesce(sum((posting->>'amount_minor')::numeric) FILTER (WHERE posting->>'side' = 'C'), 0)
FROM history_view, jsonb_array_elements(postings) posting
WHERE posting->>'code' = '2140'
GROUP BY posting->>'sub_key';
