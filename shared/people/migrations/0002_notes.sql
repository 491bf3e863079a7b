-- What staff write about the books, whoever of finance reads it next: the one sealed field that the gateway may read.
-- Those that are there, with the keys that open them; what was erased is not.
CREATE FUNCTION read_notes(of_tenant text, of_members text[], of_versions integer[])
RETURNS TABLE (member_id text, version integer, master_key_id text, wrapped bytea, sealed bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT f.member_id, f.version, k.master_key_id, k.wrapped, f.sealed
    FROM unnest(of_members, of_versions) AS wanted (member_id, version)
    JOIN person_field f ON f.tenant = of_tenant AND f.member_id = wanted.member_id AND f.field = 'note'
        AND f.version = wanted.version
    JOIN member_key k ON k.tenant = f.tenant AND k.member_id = f.member_id
    WHERE k.wrapped IS NOT NULL
$$;
REVOKE ALL ON FUNCTION read_notes FROM PUBLIC;
GRANT EXECUTE ON FUNCTION read_notes TO piperoll_gateway;
