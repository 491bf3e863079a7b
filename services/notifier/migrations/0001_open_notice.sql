-- Notices that are planned and have no outcome: a disposable fold of the notifier's own log.

CREATE TABLE open_notice (
    notice_id text PRIMARY KEY,
    shard     integer NOT NULL,
    position  bigint NOT NULL
);
CREATE INDEX open_notice_by_place ON open_notice (shard, position);
