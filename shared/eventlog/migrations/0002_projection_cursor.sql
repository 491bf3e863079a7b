-- How far each projection has folded each log; moved in the transaction that moves its tables.

CREATE TABLE projection_cursor (
    name     text NOT NULL,
    version  integer NOT NULL,
    source   text NOT NULL,
    shard    integer NOT NULL,
    position bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (name, version, source, shard)
) WITH (fillfactor = 50);
