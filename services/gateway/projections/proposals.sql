-- name: fold
INSERT INTO proposal_view AS v
    (proposal_id, tenant, position, status, reason, field, subject, change, currency, legs, note_version, proposed_by,
     digest, approvals_needed, approvals_given, approve_by, entry_id)
SELECT proposal_id, tenant, position, status, reason, field, subject, change, currency, legs::jsonb, note_version,
    proposed_by, digest, approvals_needed, approvals_given, approve_by, entry_id
FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
            %s::text[], %s::text[], %s::integer[], %s::text[], %s::text[], %s::integer[], %s::integer[],
            %s::timestamptz[], %s::text[])
    AS f (proposal_id, tenant, position, status, reason, field, subject, change, currency, legs, note_version,
          proposed_by, digest, approvals_needed, approvals_given, approve_by, entry_id)
ON CONFLICT (proposal_id) DO UPDATE
SET status = CASE WHEN v.status = 'refused' THEN v.status ELSE coalesce(excluded.status, v.status) END,
    reason = coalesce(excluded.reason, v.reason),
    approvals_given = v.approvals_given + excluded.approvals_given, entry_id = coalesce(excluded.entry_id, v.entry_id);
