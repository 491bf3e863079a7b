-- Up to which position of each shard's log the balances that it moved are published.
CREATE TABLE balance_published (
    shard    integer PRIMARY KEY,
    position bigint NOT NULL
) WITH (fillfactor = 50);
