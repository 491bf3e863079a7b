-- Queries of shared/people; `shared.postgres.queries` reads them by name.

-- name: put_new_member
WITH made AS (
    INSERT INTO member_key (tenant, member_id, master_key_id, wrapped)
    VALUES (%(tenant)s, %(member_id)s, %(master_key_id)s, %(wrapped)s)
    ON CONFLICT (tenant, member_id) DO NOTHING
    RETURNING tenant, member_id
)
INSERT INTO person_field (tenant, member_id, field, version, tag, sealed)
SELECT made.tenant, made.member_id, given.field, 1, given.tag, given.sealed
FROM made, unnest(%(fields)s::text[], %(tags)s::bytea[], %(sealed)s::bytea[]) AS given (field, tag, sealed)
RETURNING field, version;

-- name: find_member
SELECT member_key.master_key_id, member_key.wrapped, person_field.field, person_field.version, person_field.tag
FROM member_key
LEFT JOIN person_field
    ON person_field.tenant = member_key.tenant AND person_field.member_id = member_key.member_id
    AND person_field.field = ANY (%(fields)s::text[])
WHERE member_key.tenant = %(tenant)s AND member_key.member_id = %(member_id)s;

-- name: add_versions
INSERT INTO person_field (tenant, member_id, field, version, tag, sealed)
SELECT %(tenant)s, %(member_id)s, given.field, given.version, given.tag, given.sealed
FROM unnest(%(fields)s::text[], %(versions)s::integer[], %(tags)s::bytea[], %(sealed)s::bytea[])
    AS given (field, version, tag, sealed)
ORDER BY given.field
ON CONFLICT DO NOTHING
RETURNING field, version;

-- name: read_fields
SELECT member_key.master_key_id, member_key.wrapped, person_field.field, person_field.version, person_field.sealed
FROM unnest(%(fields)s::text[], %(versions)s::integer[]) AS wanted (field, version)
JOIN person_field
    ON person_field.tenant = %(tenant)s AND person_field.member_id = %(member_id)s
    AND person_field.field = wanted.field AND person_field.version = wanted.version
JOIN member_key ON member_key.tenant = person_field.tenant AND member_key.member_id = person_field.member_id;

-- name: read_notes
SELECT member_id, version, master_key_id, wrapped, sealed
FROM read_notes(%(tenant)s, %(members)s::text[], %(versions)s::integer[]);

-- name: erase_member
SELECT erase_member(%(tenant)s, %(member_id)s);
