-- The event log of one service. Run as its owner; `piperoll.service_role` names the role that works with it.

CREATE TABLE shard (
    shard         integer PRIMARY KEY CHECK (shard >= 0),
    mode          text NOT NULL CHECK (mode IN ('owned', 'shared', 'library')),
    epoch         bigint NOT NULL DEFAULT 0,
    next_position bigint NOT NULL DEFAULT 1 CHECK (next_position >= 1),
    head          bytea NOT NULL DEFAULT '',
    recorded_at   timestamptz NOT NULL DEFAULT 'epoch'
) WITH (fillfactor = 20);

CREATE TABLE event (
    shard    integer NOT NULL,
    position bigint NOT NULL,
    stream   text NOT NULL,
    version  bigint NOT NULL,
    event_id uuid NOT NULL,
    type     text NOT NULL,
    data     bytea NOT NULL CHECK (octet_length(data) <= 65535),
    digest   bytea,
    trace    text,
    PRIMARY KEY (shard, position),
    UNIQUE (shard, stream, version),
    UNIQUE (shard, event_id)
) PARTITION BY LIST (shard);

CREATE TABLE cursor (
    shard        integer NOT NULL,
    topic        text NOT NULL,
    source_shard integer NOT NULL,
    position     bigint NOT NULL,
    hash         bytea NOT NULL,
    PRIMARY KEY (shard, topic, source_shard)
) WITH (fillfactor = 50);

CREATE TABLE seek (
    topic     text NOT NULL,
    partition integer NOT NULL,
    "offset"  bigint NOT NULL,
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 50);

CREATE TABLE relay (
    shard    integer PRIMARY KEY,
    position bigint NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE relay_chain (
    shard     integer NOT NULL,
    topic     text NOT NULL,
    partition integer NOT NULL,
    position  bigint NOT NULL,
    hash      bytea NOT NULL,
    PRIMARY KEY (shard, topic, partition)
) WITH (fillfactor = 50);

-- A stray record has source shard -1 and its offset as position. `ended` says how a person let it go.
CREATE TABLE parked (
    shard        integer NOT NULL,
    topic        text NOT NULL,
    source_shard integer NOT NULL,
    position     bigint NOT NULL,
    key          text NOT NULL,
    cause        text NOT NULL,
    data         bytea NOT NULL,
    type         text NOT NULL,
    trace        text,
    arrival      bigint GENERATED ALWAYS AS IDENTITY,
    parked_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    released_at  timestamptz,
    ended        text CHECK (ended IN ('released', 'dropped')),
    PRIMARY KEY (shard, topic, source_shard, position),
    CHECK ((released_at IS NULL) = (ended IS NULL))
);
CREATE INDEX parked_open ON parked (shard, arrival) WHERE released_at IS NULL;

-- Outside the tree, never needed: the state of a stream at a version, by the hash of the state's schema.
CREATE TABLE snapshot (
    shard   integer NOT NULL,
    stream  text NOT NULL,
    version bigint NOT NULL,
    schema  bytea NOT NULL,
    type    text NOT NULL DEFAULT '',
    data    bytea NOT NULL,
    PRIMARY KEY (shard, stream, version)
);

-- Nobody changes what is written, not even the owner.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'events are never changed: % on % is refused', TG_OP, TG_TABLE_NAME USING ERRCODE = 'PRE01';
END
$$;

CREATE FUNCTION guard(guarded regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON %s'
                   ' FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', guarded);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER refuse_change', guarded);
END
$$;

SELECT guard('event');

-- A shard and the partition of its events; `service_role` may read and add, and no more.
CREATE FUNCTION create_shard(new_shard integer, new_mode text, service_role text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    partition_name text := format('event_%s', new_shard);
BEGIN
    EXECUTE format('CREATE TABLE %I PARTITION OF event FOR VALUES IN (%s)', partition_name, new_shard);
    PERFORM guard(partition_name::regclass);
    EXECUTE format('REVOKE ALL ON %I FROM %I', partition_name, service_role);
    EXECUTE format('GRANT SELECT, INSERT ON %I TO %I', partition_name, service_role);
    INSERT INTO shard (shard, mode) VALUES (new_shard, new_mode);
END
$$;

-- The one way to move a shard on: raises PRF01 unless exactly the holder's row is there, PRF02 where time would fall.
CREATE FUNCTION fence(
    of_shard integer, of_mode text, of_epoch bigint, held_position bigint,
    new_position bigint, new_head bytea, new_recorded_at timestamptz
) RETURNS timestamptz LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    found_row shard%ROWTYPE;
BEGIN
    UPDATE shard SET next_position = new_position, head = new_head, recorded_at = new_recorded_at
    WHERE shard = of_shard AND mode = of_mode AND epoch = of_epoch AND next_position = held_position
        AND held_position <= new_position AND recorded_at <= new_recorded_at;
    IF NOT FOUND THEN
        SELECT * INTO found_row FROM shard WHERE shard = of_shard;
        IF found_row.mode = of_mode AND found_row.epoch = of_epoch AND found_row.next_position = held_position THEN
            RAISE EXCEPTION 'shard %: recorded time or position would fall', of_shard USING ERRCODE = 'PRF02';
        END IF;
        RAISE EXCEPTION 'shard % is not held: asked as mode %, epoch %, position %; it has mode %, epoch %, position %',
            of_shard, of_mode, of_epoch, held_position, found_row.mode, found_row.epoch, found_row.next_position
            USING ERRCODE = 'PRF01';
    END IF;
    RETURN clock_timestamp();
END
$$;

-- Lock rows in shard order and return them with the time after the lock; PRF01 where one is missing or of another mode.
CREATE FUNCTION lock_shards(wanted integer[], of_mode text)
RETURNS TABLE (shard integer, epoch bigint, next_position bigint, head bytea, recorded_at timestamptz, now timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    locked integer;
BEGIN
    PERFORM 1 FROM shard s WHERE s.shard = ANY (wanted) AND s.mode = of_mode ORDER BY s.shard FOR UPDATE;
    GET DIAGNOSTICS locked = ROW_COUNT;
    IF locked <> (SELECT count(DISTINCT w) FROM unnest(wanted) w) THEN
        RAISE EXCEPTION 'of shards % only % are in mode %', wanted, locked, of_mode USING ERRCODE = 'PRF01';
    END IF;
    RETURN QUERY SELECT s.shard, s.epoch, s.next_position, s.head, s.recorded_at, clock_timestamp()
        FROM shard s WHERE s.shard = ANY (wanted) ORDER BY s.shard;
END
$$;

CREATE FUNCTION take_over(of_shard integer)
RETURNS TABLE (shard integer, epoch bigint, next_position bigint, head bytea, recorded_at timestamptz, now timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY UPDATE shard s SET epoch = s.epoch + 1 WHERE s.shard = of_shard AND s.mode = 'owned'
        RETURNING s.shard, s.epoch, s.next_position, s.head, s.recorded_at, clock_timestamp();
    IF NOT FOUND THEN
        RAISE EXCEPTION 'shard % is not there or not in mode owned', of_shard USING ERRCODE = 'PRF01';
    END IF;
END
$$;

-- After an unanswered COMMIT: wait for the old transaction by the row lock, then write, so that the answer is durable.
CREATE FUNCTION settle(of_shard integer, of_mode text, of_epoch bigint)
RETURNS TABLE (next_position bigint, head bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM 1 FROM shard s WHERE s.shard = of_shard FOR UPDATE;
    RETURN QUERY UPDATE shard s
        SET epoch = s.epoch + CASE WHEN of_mode = 'owned' THEN 1 ELSE 0 END, recorded_at = s.recorded_at
        WHERE s.shard = of_shard AND s.mode = of_mode AND s.epoch = of_epoch
        RETURNING s.next_position, s.head;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'shard % was taken by another worker', of_shard USING ERRCODE = 'PRF01';
    END IF;
END
$$;

DO $$
DECLARE
    service_role text := current_setting('piperoll.service_role');
BEGIN
    EXECUTE format('REVOKE ALL ON shard, event, parked, schema_migration FROM %I', service_role);
    EXECUTE format('GRANT SELECT ON shard, schema_migration TO %I', service_role);
    EXECUTE format('GRANT SELECT, INSERT ON event TO %I', service_role);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE ON parked TO %I', service_role);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON cursor, seek, relay, relay_chain, snapshot TO %I',
                   service_role);
    REVOKE ALL ON FUNCTION fence, lock_shards, take_over, settle, create_shard, guard FROM PUBLIC;
    EXECUTE format('GRANT EXECUTE ON FUNCTION fence, lock_shards, take_over, settle TO %I', service_role);
END
$$;
