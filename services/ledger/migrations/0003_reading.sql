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
