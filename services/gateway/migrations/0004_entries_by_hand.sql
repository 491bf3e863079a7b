-- Entries by hand, their reversals, and ledger accounts: asked for by finance, decided by the ledger. A reversal has a
-- subject too, the entry that it takes back.
ALTER TABLE request
    DROP CONSTRAINT request_kind_check,
    ADD CONSTRAINT request_kind_check CHECK (kind IN ('account', 'invoice', 'payment', 'refund', 'transfer', 'merge',
                                                      'statement', 'journal', 'reversal', 'request')),
    DROP CONSTRAINT request_subject_check,
    ADD CONSTRAINT request_subject_check
        CHECK ((kind IN ('reversal', 'request')) = (operation IS NOT NULL)
               AND (kind IN ('reversal', 'request')) = (subject IS NOT NULL));
CREATE INDEX request_by_subject ON request (subject, created_at DESC, id DESC) WHERE subject IS NOT NULL;

-- What waits for approval, and what came of it: `subject` is the entry that a reversal takes back, or the ledger account
-- that a change is of; `entry_id` the entry that was posted.
CREATE TABLE proposal_view (
    proposal_id      text PRIMARY KEY,
    tenant           text NOT NULL,
    position         bigint NOT NULL,
    status           text,
    reason           text,
    field            text,
    subject          text,
    change           text,
    currency         text,
    legs             jsonb,
    note_version     integer,
    proposed_by      text,
    digest           text,
    approvals_needed integer,
    approvals_given  integer NOT NULL DEFAULT 0,
    approve_by       timestamptz,
    entry_id         text
) WITH (fillfactor = 80);
CREATE INDEX proposal_view_by_subject ON proposal_view (subject, position DESC) WHERE subject IS NOT NULL;

CREATE TABLE ledger_account_view (
    ledger_account_id text PRIMARY KEY,
    tenant            text NOT NULL,
    shard             integer NOT NULL,
    position          bigint NOT NULL,
    code              text NOT NULL,
    sub_key           text NOT NULL,
    currency          text NOT NULL,
    status            text,
    named_at          timestamptz NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX ledger_account_view_by_age ON ledger_account_view (tenant, named_at DESC, ledger_account_id DESC);

CREATE OR REPLACE VIEW request_word AS
SELECT r.id, r.kind, r.shard, r.position, r.created_at,
    CASE r.kind
        WHEN 'account' THEN EXISTS (SELECT FROM account_view v WHERE v.account_id = r.id)
        WHEN 'invoice' THEN EXISTS (SELECT FROM invoice_view v WHERE v.invoice_id = r.id
                                        AND (v.total_minor IS NOT NULL OR v.reason IS NOT NULL))
        WHEN 'payment' THEN EXISTS (SELECT FROM payment_view v WHERE v.payment_id = r.id
                                        AND v.billing_status IS NOT NULL)
        WHEN 'refund' THEN EXISTS (SELECT FROM refund_view v WHERE v.refund_id = r.id AND v.status IS NOT NULL)
        WHEN 'transfer' THEN EXISTS (SELECT FROM transfer_view v WHERE v.transfer_id = r.id AND v.status IS NOT NULL)
        WHEN 'merge' THEN EXISTS (SELECT FROM merge_view v WHERE v.merge_id = r.id)
        WHEN 'statement' THEN EXISTS (SELECT FROM statement_view v WHERE v.statement_id = r.id)
        WHEN 'journal' THEN EXISTS (SELECT FROM proposal_view v WHERE v.proposal_id = r.id)
        WHEN 'reversal' THEN EXISTS (SELECT FROM proposal_view v WHERE v.proposal_id = r.id)
        ELSE EXISTS (SELECT FROM request_view v WHERE v.request_id = r.id)
    END AS has_word
FROM request r;
