-- What finance hands in and asks after, what a story is followed by, and what nobody may miss.
CREATE TABLE statement_view (
    statement_id text PRIMARY KEY,
    imported_at  timestamptz,
    reason       text
);

-- Of a day of an account the report at the newest position counts: all come from one shard.
CREATE TABLE reconciliation_view (
    tenant            text NOT NULL,
    day               date NOT NULL,
    account           text NOT NULL,
    sub_key           text NOT NULL,
    currency          text NOT NULL,
    shard             integer NOT NULL,
    position          bigint NOT NULL,
    book_minor        bigint NOT NULL,
    bank_minor        bigint,
    processor_minor   bigint,
    difference_minor  bigint NOT NULL,
    unexplained_minor bigint NOT NULL,
    open_exceptions   jsonb NOT NULL,
    PRIMARY KEY (tenant, day, account, sub_key, currency)
) WITH (fillfactor = 80);

CREATE TABLE exception_view (
    tenant         text NOT NULL,
    id             text NOT NULL,
    shard          integer NOT NULL,
    position       bigint NOT NULL,
    account        text NOT NULL,
    sub_key        text NOT NULL,
    currency       text NOT NULL,
    kind           text NOT NULL,
    minor          bigint NOT NULL,
    since          date NOT NULL,
    state          text NOT NULL,
    reason         text,
    reference_list jsonb NOT NULL,
    explained_by   text,
    note_version   integer NOT NULL,
    PRIMARY KEY (tenant, id)
) WITH (fillfactor = 80);
CREATE INDEX exception_view_by_age ON exception_view (tenant, since, id);
CREATE INDEX exception_view_by_state ON exception_view (tenant, state, since, id);

-- A story is followed per account and source, by position.
CREATE INDEX history_view_by_place ON history_view (account_id, source, position);

-- Requests are looked after per shard, in the order in which they were committed.
CREATE INDEX request_by_place ON request (shard, position);

-- Whether billing, or the ledger, has said anything of what was asked for.
CREATE VIEW request_word AS
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
        ELSE EXISTS (SELECT FROM request_view v WHERE v.request_id = r.id)
    END AS has_word
FROM request r;
