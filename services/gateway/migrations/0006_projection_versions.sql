-- Which version of each projection is in its tables. One that waits for its rebuild has its places in projection_cursor;
-- all others are where the cursors are. What folded before there were versions has those of then.
CREATE TABLE projection_version (
    name    text PRIMARY KEY,
    version integer NOT NULL
);

INSERT INTO projection_version (name, version)
SELECT 'gateway.' || name, 1
FROM unnest(ARRAY['accounts', 'balances', 'cases', 'history', 'invoices', 'ledger_accounts', 'merges', 'notices',
                  'payments', 'proposals', 'reconciliation', 'refunds', 'requests', 'statements', 'transfers']) name
WHERE EXISTS (SELECT FROM cursor);
