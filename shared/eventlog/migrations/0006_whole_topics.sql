-- How a partition began when the shard's chain on it was last known to be whole: another beginning means that the topic
-- was made anew. NULL `first_ms`: it was empty. `timeline` says on which history of which server a log was last found
-- to be no old copy.

ALTER TABLE relay_chain ADD COLUMN first_offset bigint, ADD COLUMN first_ms bigint;

CREATE TABLE timeline (
    shard             integer PRIMARY KEY REFERENCES shard,
    system_identifier bigint NOT NULL,
    timeline          integer NOT NULL
);

DO $$
DECLARE
    service_role text := current_setting('piperoll.service_role');
BEGIN
    EXECUTE format('REVOKE ALL ON timeline FROM %I', service_role);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE ON timeline TO %I', service_role);
END
$$;
