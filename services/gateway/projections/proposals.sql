-- name: fold
INSERT INTO proposal_view AS v
    (proposal_id, tenant, position, status, reason, field, subject, change, currency, legs, note_version, proposed_by,
     digest, approvals_needed, approvals_given, approve_by, decision)
SELECT proposal_id, tenant, position, status, reason, field, subject, change, currency, legs::jsonb, note_version,
    proposed_by, digest, approvals_needed, approvals_given, approve_by, decision
FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
            %s::text[], %s::text[], %s::integer[], %s::text[], %s::text[], %s::integer[], %s::integer[],
            %s::timestamptz[], %s::text[])
    AS f (proposal_id, tenant, position, status, reason, field, subject, change, currency, legs, note_version,
          proposed_by, digest, approvals_needed, approvals_given, approve_by, decision)
ON CONFLICT (proposal_id) DO UPDATE
SET status = coalesce(excluded.status, v.status), reason = coalesce(excluded.reason, v.reason),
    approvals_given = v.approvals_given + excluded.approvals_given, decision = coalesce(excluded.decision, v.decision);

-- name: entries
UPDATE proposal_view v SET status = 'posted', entry_id = f.entry_id
FROM unnest(%s::text[], %s::text[]) AS f (decision, entry_id)
WHERE v.decision = f.decision;
