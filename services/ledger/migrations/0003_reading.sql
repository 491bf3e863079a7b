-- What the ledger's HTTP reads from. The log itself holds every entry whole, so a row of `entry` is only what one is
-- found by: the projection begins at nothing, with a new version.

DROP TABLE entry;
DELETE FROM projection_cursor WHERE name = 'ledger.history';

CREATE TABLE entry (
    shard          integer NOT NULL,
    position       bigint NOT NULL,
    tenant         text NOT NULL,
    effective_date date NOT NULL,
    payment_id     text,
    PRIMARY KEY (shard, position)
);
CREATE INDEX entry_by_day ON entry (tenant, effective_date, shard, position);
CREATE INDEX entry_by_payment ON entry (payment_id, position) WHERE payment_id IS NOT NULL;

-- Who has a sub-key that is a household's own.
CREATE INDEX balance_by_code ON balance (code, sub_key);

-- What each day moved, by effective date, and the postings of the accounts on which all households book. A row is one
-- shard's: shards never wait for each other.

-- `sub_key` is empty for codes whose sub-keys are a household's own: those are in `balance`.
CREATE TABLE ledger_day (
    tenant       text NOT NULL,
    code         text NOT NULL,
    sub_key      text NOT NULL,
    currency     text NOT NULL,
    day          date NOT NULL,
    shard        integer NOT NULL,
    debit_minor  numeric NOT NULL,
    credit_minor numeric NOT NULL,
    PRIMARY KEY (tenant, code, sub_key, currency, day, shard)
) WITH (fillfactor = 70);

-- What an entry moved on a house-wide account: what its statement is made of. The entry itself is in the log.
CREATE TABLE house_posting (
    tenant       text NOT NULL,
    code         text NOT NULL,
    sub_key      text NOT NULL,
    currency     text NOT NULL,
    day          date NOT NULL,
    shard        integer NOT NULL,
    position     bigint NOT NULL,
    debit_minor  bigint NOT NULL,
    credit_minor bigint NOT NULL,
    PRIMARY KEY (tenant, code, sub_key, currency, day, shard, position)
);
