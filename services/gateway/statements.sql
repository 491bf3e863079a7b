-- Run by the store, in the transaction of the append; one array per column.

-- name: insert_request
INSERT INTO request (id, tenant, kind, account_id, shard, position, root, digest, body, created_at, reference,
                     operation, subject)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::integer[], $6::bigint[], $7::bytea[],
                     $8::bytea[], $9::jsonb[], $10::timestamptz[], $11::text[], $12::text[], $13::text[]);

-- Run by the relay, to say on the record how a request is listed: an old copy of this database gets its rows back by it.

-- name: notes
SELECT id, kind, account_id, reference, operation, subject FROM request WHERE id = ANY ($1::text[])
