-- Personal data of all tenants, sealed. Run as the database's owner, after the services' roles are made.

-- A member's data key, wrapped by the master key `master_key_id`. Erasure leaves the row without the key, so that
-- nothing is ever sealed for this member again.
CREATE TABLE member_key (
    tenant        text NOT NULL CHECK (octet_length(tenant) BETWEEN 1 AND 255),
    member_id     text NOT NULL CHECK (octet_length(member_id) BETWEEN 1 AND 255),
    master_key_id text NOT NULL,
    wrapped       bytea,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    erased_at     timestamptz,
    PRIMARY KEY (tenant, member_id),
    CHECK ((wrapped IS NULL) = (erased_at IS NOT NULL))
);

-- `tag` is a MAC of the content under a key derived from the member's: equal content is found without unsealing.
CREATE TABLE person_field (
    tenant     text NOT NULL,
    member_id  text NOT NULL,
    field      text NOT NULL CHECK (field ~ '^[a-z][a-z_]{0,62}$'),
    version    integer NOT NULL CHECK (version >= 1),
    tag        bytea NOT NULL CHECK (octet_length(tag) = 32),
    sealed     bytea NOT NULL CHECK (octet_length(sealed) BETWEEN 28 AND 65536),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, member_id, field, version),
    UNIQUE (tenant, member_id, field, tag),
    FOREIGN KEY (tenant, member_id) REFERENCES member_key
);

-- Destroys a member's key and rows, true where there was one. The key's row stays: erased for good.
CREATE FUNCTION erase_member(of_tenant text, of_member text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    erased boolean;
BEGIN
    UPDATE member_key SET wrapped = NULL, erased_at = clock_timestamp()
    WHERE tenant = of_tenant AND member_id = of_member AND wrapped IS NOT NULL;
    erased := FOUND;
    DELETE FROM person_field WHERE tenant = of_tenant AND member_id = of_member;
    RETURN erased;
END
$$;

-- Who may do what. The gateway writes, and tells a repeat by tag: it never reads a sealed value. The notifier reads
-- the two fields that it sends. Billing sends nothing personal yet and has no rights; a field that it comes to send
-- gets a policy of its own here.
ALTER TABLE person_field ENABLE ROW LEVEL SECURITY;
REVOKE ALL ON FUNCTION erase_member FROM PUBLIC;

GRANT SELECT, INSERT (tenant, member_id, master_key_id, wrapped) ON member_key TO piperoll_gateway;
GRANT SELECT (tenant, member_id, field, version, tag), INSERT (tenant, member_id, field, version, tag, sealed)
    ON person_field TO piperoll_gateway;
CREATE POLICY gateway_sees_tags ON person_field FOR SELECT TO piperoll_gateway USING (true);
CREATE POLICY gateway_adds ON person_field FOR INSERT TO piperoll_gateway WITH CHECK (true);
GRANT EXECUTE ON FUNCTION erase_member TO piperoll_gateway;

GRANT SELECT ON member_key TO piperoll_notifier;
GRANT SELECT (tenant, member_id, field, version, sealed) ON person_field TO piperoll_notifier;
CREATE POLICY notifier_reads_what_it_sends ON person_field FOR SELECT TO piperoll_notifier
    USING (field IN ('email', 'name'));
