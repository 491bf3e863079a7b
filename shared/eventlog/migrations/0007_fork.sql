-- Chains that stand still because two records claim one place, until a person lets them go on.

CREATE TABLE fork (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shard        integer NOT NULL,
    topic        text NOT NULL,
    source_shard integer NOT NULL,
    position     bigint NOT NULL,
    previous     bigint NOT NULL,
    cursor       bigint NOT NULL,
    cursor_hash  bytea NOT NULL,
    seen_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    ordered_by   text CHECK (ordered_by <> ''),
    ordered_at   timestamptz,
    ended_at     timestamptz,
    CHECK ((ordered_by IS NULL) = (ordered_at IS NULL))
);
CREATE UNIQUE INDEX fork_open ON fork (shard, topic, source_shard) WHERE ended_at IS NULL;

DO $$
DECLARE
    service_role text := current_setting('piperoll.service_role');
BEGIN
    EXECUTE format('REVOKE ALL ON fork FROM %I', service_role);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE (ended_at) ON fork TO %I', service_role);
END
$$;
