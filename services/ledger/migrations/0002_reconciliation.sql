-- Reconciliation of 1010, 1125 and 1126: the tables of 1125 alone go, the projection's next version folds these anew.

DROP TABLE reconciliation_line, reconciliation_book_day, reconciliation_match, reconciliation_report, reconciliation_day;

-- Every posting on a reconciled account (`book`) and every line of the other side (`outside`), as the log gave them.
-- The other side of 1125 is the processor's report, of 1010 the bank's statement; of 1126, where the books follow the
-- processor's report, it is what the bank's entries take off it.
CREATE TABLE reconciliation_line (
    shard           integer NOT NULL,
    position        bigint NOT NULL,
    ordinal         integer NOT NULL,
    origin          text NOT NULL CHECK (origin IN ('book', 'outside')),
    account         text NOT NULL,
    sub_key         text NOT NULL,
    currency        text NOT NULL,
    reference       text NOT NULL,
    name            text,
    kind            text NOT NULL,
    day             date NOT NULL,
    minor           bigint NOT NULL,
    PRIMARY KEY (shard, position, ordinal)
);
CREATE UNIQUE INDEX reconciliation_line_once ON reconciliation_line (account, sub_key, name) WHERE origin = 'outside';

-- What the books moved on a day, per shard, so that shards never wait for each other.
CREATE TABLE reconciliation_book_day (
    shard    integer NOT NULL,
    account  text NOT NULL,
    sub_key  text NOT NULL,
    currency text NOT NULL,
    day      date NOT NULL,
    minor    numeric NOT NULL,
    PRIMARY KEY (account, sub_key, currency, day, shard)
) WITH (fillfactor = 70);

-- Both sides of one reference on one day. Exceptions are among the references of the partial index.
CREATE TABLE reconciliation_match (
    account       text NOT NULL,
    sub_key       text NOT NULL,
    currency      text NOT NULL,
    reference     text NOT NULL,
    day           date NOT NULL,
    book_count    integer NOT NULL,
    book_minor    numeric NOT NULL,
    outside_count integer NOT NULL,
    outside_minor numeric NOT NULL,
    PRIMARY KEY (account, sub_key, currency, reference, day)
) WITH (fillfactor = 70);
CREATE INDEX reconciliation_match_uneven ON reconciliation_match (account, sub_key, currency)
    WHERE book_minor <> outside_minor;

-- The newest report of a processor (1125) or statement of a bank account (1010) per day.
CREATE TABLE reconciliation_report (
    account       text NOT NULL,
    sub_key       text NOT NULL,
    currency      text NOT NULL,
    day           date NOT NULL,
    tenant        text NOT NULL,
    closing_minor bigint NOT NULL,
    taken_at      timestamptz NOT NULL,
    shard         integer NOT NULL,
    position      bigint NOT NULL,
    PRIMARY KEY (account, sub_key, currency, day)
);

-- The newest reconciliation of each account and day.
CREATE TABLE reconciliation_day (
    account           text NOT NULL,
    sub_key           text NOT NULL,
    day               date NOT NULL,
    currency          text NOT NULL,
    book_minor        bigint NOT NULL,
    bank_minor        bigint,
    processor_minor   bigint,
    difference_minor  bigint NOT NULL,
    unexplained_minor bigint NOT NULL,
    open_exceptions   jsonb NOT NULL,
    positions         jsonb NOT NULL,
    shard             integer NOT NULL,
    position          bigint NOT NULL,
    PRIMARY KEY (account, sub_key, day, currency)
);

-- Every exception as it stands.
CREATE TABLE reconciliation_exception (
    id         text PRIMARY KEY,
    account    text NOT NULL,
    sub_key    text NOT NULL,
    currency   text NOT NULL,
    kind       text NOT NULL,
    minor      bigint NOT NULL,
    since      date NOT NULL,
    state      text NOT NULL,
    reason     text,
    reference  text NOT NULL,
    shard      integer NOT NULL,
    position   bigint NOT NULL
);
CREATE INDEX reconciliation_exception_unexplained ON reconciliation_exception (account) WHERE state = 'open';
