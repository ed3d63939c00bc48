-- What a person decided on a recommendation is looked up in the audit log, newest first: whenever the policy would approve
-- it, and in each list of what the policy may take. A cancel is written about its apply and names the recommendation.

CREATE INDEX audit_decision_idx ON pgluthier.audit (
    target_id,
    (CASE action WHEN 'apply.cancel' THEN details ->> 'recommendation_id' ELSE subject_id END),
    audit_id DESC
) WHERE action IN (
    'recommendation.approve', 'recommendation.reopen', 'recommendation.revoke_approval', 'apply.cancel'
);
