-- Each partition has indexes of its own, without the shard that all of its rows share: they are smaller, and a query
-- of one shard has one index that fits, also where its plan was made while the table was empty.

CREATE FUNCTION index_partition(partition regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ADD PRIMARY KEY (position) WITH (fillfactor = 100),'
                   ' ADD UNIQUE (stream, version), ADD UNIQUE (event_id)', partition);
END
$$;

CREATE OR REPLACE FUNCTION create_shard(new_shard integer, new_mode text, service_role text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    partition_name text := format('event_%s', new_shard);
BEGIN
    EXECUTE format('CREATE TABLE %I PARTITION OF event FOR VALUES IN (%s)', partition_name, new_shard);
    PERFORM index_partition(partition_name::regclass);
    PERFORM guard(partition_name::regclass);
    EXECUTE format('REVOKE ALL ON %I FROM %I', partition_name, service_role);
    EXECUTE format('GRANT SELECT, INSERT ON %I TO %I', partition_name, service_role);
    INSERT INTO shard (shard, mode) VALUES (new_shard, new_mode);
END
$$;

ALTER TABLE event
    DROP CONSTRAINT event_pkey,
    DROP CONSTRAINT event_shard_stream_version_key,
    DROP CONSTRAINT event_shard_event_id_key;

SELECT index_partition(inhrelid::regclass) FROM pg_inherits WHERE inhparent = 'event'::regclass;

REVOKE ALL ON FUNCTION index_partition FROM PUBLIC;
