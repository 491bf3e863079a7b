-- name: trial_balance
SELECT code, sum(debit_minor), sum(credit_minor) FROM balance GROUP BY code ORDER BY code;

-- name: processor_balance
SELECT coalesce(sum(debit_minor - credit_minor), 0) FROM balance WHERE code = '1125' AND sub_key = %s;

-- name: newest_differences
SELECT account, sub_key, day::text, difference_minor FROM reconciliation_day ORDER BY account, sub_key, day;

-- name: unexplained
SELECT account, coalesce(sum(abs(minor)) FILTER (WHERE state = 'open'), 0)
FROM (VALUES ('1010'), ('1125'), ('1126')) AS reconciled (account)
LEFT JOIN reconciliation_exception USING (account) GROUP BY account ORDER BY account;

-- name: late_payouts
SELECT count(*) FROM reconciliation_exception WHERE kind = 'late' AND state <> 'resolved';

-- name: entries
SELECT count(*) FROM entry;
