-- Effects that were intended and have no outcome yet: an index over the log, rebuilt from it when emptied.

CREATE TABLE open_work (
    shard   integer NOT NULL,
    work_id text NOT NULL,
    data    bytea NOT NULL,
    PRIMARY KEY (shard, work_id)
);

CREATE TABLE open_work_position (
    shard    integer PRIMARY KEY,
    position bigint NOT NULL
);
