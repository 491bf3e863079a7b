-- Things that one household asks of another, that finance hands in, and requests that change what exists: the last have
-- an operation and a subject. What is of no household (a bank statement, an explanation) has no account.
ALTER TABLE request
    DROP CONSTRAINT request_kind_check,
    ADD CONSTRAINT request_kind_check CHECK (kind IN ('account', 'invoice', 'payment', 'refund', 'transfer', 'merge',
                                                      'statement', 'request')),
    ALTER COLUMN account_id DROP NOT NULL,
    ADD COLUMN operation text,
    ADD COLUMN subject text,
    ADD CONSTRAINT request_subject_check
        CHECK ((kind = 'request') = (operation IS NOT NULL) AND (kind = 'request') = (subject IS NOT NULL));

-- Billing and the ledger each answer their own requests, so that a row is written by one source.
CREATE TABLE request_view (
    request_id text PRIMARY KEY,
    done_at    timestamptz,
    reason     text
);

ALTER TABLE account_view ADD COLUMN moved_to text;

-- Bills of a merge are made by billing: they have no row in `request`, so that what is shown of one is kept here.
ALTER TABLE invoice_view
    ADD COLUMN tenant text,
    ADD COLUMN shard integer,
    ADD COLUMN position bigint,
    ADD COLUMN issued_at timestamptz,
    ADD COLUMN lines jsonb,
    ADD COLUMN voided_minor numeric NOT NULL DEFAULT 0,
    ADD COLUMN is_void boolean NOT NULL DEFAULT false;
DROP INDEX invoice_view_due;
CREATE INDEX invoice_view_due ON invoice_view (account_id, due_date) WHERE paid_minor < total_minor - voided_minor;
CREATE INDEX invoice_view_by_account ON invoice_view (account_id, issued_at DESC, invoice_id DESC);

-- `allocations` stay those of the first time, which the receipt names; allocation_view has those of now. What was lost
-- is that of the payment itself, not of a second charge beside it.
ALTER TABLE payment_view
    ADD COLUMN held_until timestamptz,
    ADD COLUMN twin_payment_id text,
    ADD COLUMN action_url text,
    ADD COLUMN action_expires_at timestamptz,
    ADD COLUMN settled_minor numeric,
    ADD COLUMN lost_minor numeric NOT NULL DEFAULT 0,
    ADD COLUMN taken_minor numeric NOT NULL DEFAULT 0;

CREATE TABLE allocation_view (
    payment_id     text NOT NULL,
    invoice_id     text NOT NULL,
    policy_id      text NOT NULL,
    coverage_month text NOT NULL,
    amount_minor   numeric NOT NULL,
    PRIMARY KEY (payment_id, invoice_id, policy_id, coverage_month)
) WITH (fillfactor = 80);

CREATE TABLE dispute_view (
    chargeback_id text PRIMARY KEY,
    payment_id    text,
    ended         boolean NOT NULL
);
CREATE INDEX dispute_view_open ON dispute_view (payment_id) WHERE NOT ended;

CREATE TABLE case_view (
    case_id         text PRIMARY KEY,
    tenant          text NOT NULL,
    account_id      text NOT NULL,
    shard           integer NOT NULL,
    position        bigint NOT NULL,
    rule            text,
    payment_id      text NOT NULL,
    twin_payment_id text,
    invoice_id      text,
    reference       text NOT NULL,
    amount_minor    bigint NOT NULL,
    currency        text NOT NULL,
    opened_at       timestamptz,
    outcome         text,
    refund_id       text,
    decided_at      timestamptz
) WITH (fillfactor = 80);
CREATE INDEX case_view_by_account ON case_view (account_id, opened_at DESC, case_id DESC);
CREATE INDEX case_view_by_tenant ON case_view (tenant, opened_at DESC, case_id DESC);

-- A refund that somebody asked for has a row in `request`, that of a case has not.
CREATE TABLE refund_view (
    refund_id        text PRIMARY KEY,
    tenant           text NOT NULL,
    account_id       text NOT NULL,
    shard            integer NOT NULL,
    position         bigint NOT NULL,
    status           text,
    reason           text,
    payment_id       text,
    fund_id          text,
    purpose          text,
    case_id          text,
    amount_minor     bigint,
    currency         text,
    approvals_needed integer,
    approvals_given  integer NOT NULL DEFAULT 0,
    digest           text,
    approve_by       timestamptz,
    opened_at        timestamptz
) WITH (fillfactor = 80);
CREATE INDEX refund_view_by_payment ON refund_view (payment_id);
CREATE INDEX refund_view_by_fund ON refund_view (fund_id);

-- As the sender knows it; that of a merge has no row in `request`.
CREATE TABLE transfer_view (
    transfer_id   text PRIMARY KEY,
    tenant        text NOT NULL,
    account_id    text NOT NULL,
    shard         integer NOT NULL,
    position      bigint NOT NULL,
    status        text,
    reason        text,
    to_account_id text,
    purpose       text,
    amount_minor  bigint,
    currency      text,
    sent_at       timestamptz
) WITH (fillfactor = 80);

CREATE TABLE transfer_source_view (
    transfer_id  text NOT NULL,
    fund_id      text NOT NULL,
    amount_minor bigint NOT NULL,
    PRIMARY KEY (transfer_id, fund_id)
);
CREATE INDEX transfer_source_view_by_fund ON transfer_source_view (fund_id);

CREATE TABLE merge_view (
    merge_id text PRIMARY KEY,
    status   text,
    reason   text
) WITH (fillfactor = 80);

-- A payment with what its money became: paid lines, refunds (set aside, and gone), what was taken back or passed on.
CREATE VIEW payment_money AS
SELECT p.*,
    (SELECT jsonb_agg(jsonb_build_object('invoice_id', a.invoice_id, 'policy_id', a.policy_id,
                                         'coverage_month', a.coverage_month, 'amount_minor', a.amount_minor)
                      ORDER BY a.coverage_month, a.policy_id, a.invoice_id)
     FROM allocation_view a WHERE a.payment_id = p.payment_id AND a.amount_minor > 0) AS paid_lines,
    (SELECT coalesce(sum(f.amount_minor), 0)::bigint FROM refund_view f
     WHERE f.payment_id = p.payment_id AND f.status IN ('sent', 'completed')) AS refunded_minor,
    EXISTS (SELECT FROM dispute_view d WHERE d.payment_id = p.payment_id AND NOT d.ended) AS disputed,
    (coalesce(p.settled_minor, 0) - p.taken_minor
     - (SELECT coalesce(sum(a.amount_minor), 0) FROM allocation_view a WHERE a.payment_id = p.payment_id)
     - (SELECT coalesce(sum(f.amount_minor), 0) FROM refund_view f
        WHERE f.fund_id = p.payment_id AND f.status IN ('awaiting_approval', 'approved', 'sent', 'completed'))
     - (SELECT coalesce(sum(s.amount_minor), 0) FROM transfer_source_view s JOIN transfer_view t USING (transfer_id)
        WHERE s.fund_id = p.payment_id AND t.status <> 'returned'))::bigint AS unapplied_minor
FROM payment_view p;
