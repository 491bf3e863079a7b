-- What people asked for: one plain row per request, written with its event, never updated, never rebuilt.
CREATE TABLE request (
    id         text PRIMARY KEY,
    tenant     text NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('account', 'invoice', 'payment')),
    account_id text NOT NULL,
    shard      integer NOT NULL,
    position   bigint NOT NULL,
    root       bytea NOT NULL,
    digest     bytea NOT NULL,
    body       jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    reference  text
);
CREATE INDEX request_by_account ON request (account_id, kind, created_at DESC, id DESC);
CREATE UNIQUE INDEX request_by_reference ON request (tenant, reference) WHERE reference IS NOT NULL;
SELECT guard('request');

-- The projections: disposable folds of other services' topics, one group of columns per source. Sums are numeric.
CREATE TABLE account_view (
    account_id text PRIMARY KEY,
    opened_at  timestamptz,
    reason     text
);

CREATE TABLE invoice_view (
    invoice_id  text PRIMARY KEY,
    account_id  text,
    number      text,
    due_date    date,
    currency    text,
    total_minor numeric,
    reason      text,
    paid_minor  numeric NOT NULL DEFAULT 0
) WITH (fillfactor = 80);
CREATE INDEX invoice_view_due ON invoice_view (account_id, due_date) WHERE paid_minor < total_minor;

CREATE TABLE payment_view (
    payment_id      text PRIMARY KEY,
    billing_status  text,
    reason          text,
    settled_at      timestamptz,
    settled_on      date,
    allocations     jsonb,
    ledger_position bigint
) WITH (fillfactor = 70);

CREATE TABLE balance_view (
    account_id   text NOT NULL,
    code         text NOT NULL,
    currency     text NOT NULL,
    debit_minor  numeric NOT NULL,
    credit_minor numeric NOT NULL,
    PRIMARY KEY (account_id, code, currency)
) WITH (fillfactor = 70);

CREATE TABLE history_view (
    source         text NOT NULL,
    shard          integer NOT NULL,
    position       bigint NOT NULL,
    account_id     text NOT NULL,
    type           text NOT NULL,
    recorded_at    timestamptz NOT NULL,
    effective_date date NOT NULL,
    subject        text,
    amount_minor   bigint,
    currency       text,
    reason         text,
    rule           text,
    payment_id     text,
    postings       jsonb,
    PRIMARY KEY (source, shard, position)
);
CREATE INDEX history_view_by_account
    ON history_view (account_id, recorded_at DESC, source DESC, position DESC);

CREATE TABLE notice_view (
    notice_id  text PRIMARY KEY,
    account_id text NOT NULL,
    kind       text,
    reference  text,
    sent_at    timestamptz,
    ended      text
) WITH (fillfactor = 80);
CREATE INDEX notice_view_by_reference ON notice_view (account_id, reference);

DO $$
BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON request FROM %I', current_setting('piperoll.service_role'));
END
$$;
