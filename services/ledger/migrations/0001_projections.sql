-- The ledger's projections: disposable folds of its own log. Sums are numeric, so that no posting can overflow them.

CREATE TABLE balance (
    account_id   text NOT NULL,
    code         text NOT NULL,
    sub_key      text NOT NULL,
    currency     text NOT NULL,
    debit_minor  numeric NOT NULL,
    credit_minor numeric NOT NULL,
    position     bigint NOT NULL,
    PRIMARY KEY (account_id, code, sub_key, currency)
) WITH (fillfactor = 70);

CREATE TABLE entry (
    entry_id       text PRIMARY KEY,
    account_id     text NOT NULL,
    shard          integer NOT NULL,
    position       bigint NOT NULL,
    group_id       text NOT NULL,
    rule           text NOT NULL,
    cause_type     text NOT NULL,
    cause          text NOT NULL,
    payment_id     text,
    invoice_id     text,
    processor_ref  text,
    effective_date date NOT NULL,
    recorded_at    timestamptz NOT NULL,
    currency       text NOT NULL,
    postings       jsonb NOT NULL
);
CREATE INDEX entry_by_account ON entry (account_id, position);
CREATE INDEX entry_by_payment ON entry (payment_id) WHERE payment_id IS NOT NULL;

-- Every posting on 1125 (`book`) and every line of a processor's report (`processor`), as the log gave them.
CREATE TABLE reconciliation_line (
    shard           integer NOT NULL,
    position        bigint NOT NULL,
    ordinal         integer NOT NULL,
    origin          text NOT NULL CHECK (origin IN ('book', 'processor')),
    processor       text NOT NULL,
    currency        text NOT NULL,
    reference       text NOT NULL,
    transaction_ref text,
    kind            text NOT NULL,
    day             date NOT NULL,
    minor           bigint NOT NULL,
    PRIMARY KEY (shard, position, ordinal)
);
CREATE UNIQUE INDEX reconciliation_line_once ON reconciliation_line (processor, transaction_ref)
    WHERE origin = 'processor';

-- What the books moved on a day, per shard, so that shards never wait for each other.
CREATE TABLE reconciliation_book_day (
    shard     integer NOT NULL,
    processor text NOT NULL,
    currency  text NOT NULL,
    day       date NOT NULL,
    minor     numeric NOT NULL,
    PRIMARY KEY (shard, processor, currency, day)
) WITH (fillfactor = 70);

-- Both sides of one reference of the processor. Exceptions are the rows of the partial index.
CREATE TABLE reconciliation_match (
    processor       text NOT NULL,
    currency        text NOT NULL,
    reference       text NOT NULL,
    book_count      integer NOT NULL,
    book_minor      numeric NOT NULL,
    book_on         date,
    processor_count integer NOT NULL,
    processor_minor numeric NOT NULL,
    processor_on    date,
    PRIMARY KEY (processor, currency, reference)
) WITH (fillfactor = 70);
CREATE INDEX reconciliation_match_open ON reconciliation_match (processor, currency)
    WHERE book_minor <> processor_minor OR book_on IS DISTINCT FROM processor_on;

CREATE TABLE reconciliation_report (
    processor     text NOT NULL,
    day           date NOT NULL,
    currency      text NOT NULL,
    tenant        text NOT NULL,
    opening_minor bigint NOT NULL,
    closing_minor bigint NOT NULL,
    lines         integer NOT NULL,
    shard         integer NOT NULL,
    position      bigint NOT NULL,
    PRIMARY KEY (processor, day, currency)
);

-- The newest reconciliation of each account and day.
CREATE TABLE reconciliation_day (
    account          text NOT NULL,
    sub_key          text NOT NULL,
    day              date NOT NULL,
    currency         text NOT NULL,
    book_minor       bigint NOT NULL,
    bank_minor       bigint,
    processor_minor  bigint,
    difference_minor bigint NOT NULL,
    open_exceptions  jsonb NOT NULL,
    positions        jsonb NOT NULL,
    shard            integer NOT NULL,
    position         bigint NOT NULL,
    PRIMARY KEY (account, sub_key, day, currency)
);
