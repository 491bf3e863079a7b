-- What people ordered about parked records: rows for the shard's owner, which does it and notes when.

CREATE TABLE parked_order (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shard        integer NOT NULL,
    topic        text NOT NULL,
    source_shard integer NOT NULL,
    position     bigint NOT NULL,
    how          text NOT NULL CHECK (how IN ('released', 'dropped')),
    ordered_by   text NOT NULL CHECK (ordered_by <> ''),
    ordered_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    done_at      timestamptz,
    FOREIGN KEY (shard, topic, source_shard, position) REFERENCES parked
);
CREATE INDEX parked_order_open ON parked_order (shard, id) WHERE done_at IS NULL;

DO $$
DECLARE
    service_role text := current_setting('piperoll.service_role');
BEGIN
    EXECUTE format('REVOKE ALL ON parked_order FROM %I', service_role);
    EXECUTE format('GRANT SELECT, UPDATE (done_at) ON parked_order TO %I', service_role);
END
$$;
