-- Who may apply what and when, how it is stopped, and the states between a proposal and its end.

ALTER TABLE pgluthier.recommendation
    DROP CONSTRAINT recommendation_state_check,
    ADD CONSTRAINT recommendation_state_check CHECK (state IN (
        'open', 'snoozed', 'dismissed', 'superseded', 'expired', 'approved', 'scheduled', 'applying', 'verifying',
        'succeeded', 'inconclusive', 'failed', 'needs_attention'
    )),
    ADD COLUMN snoozed_until timestamptz,
    -- Who asked for it to be applied when the next window opens.
    ADD COLUMN scheduled_by text,
    ADD CHECK ((state = 'snoozed') = (snoozed_until IS NOT NULL)),
    ADD CHECK ((state = 'scheduled') = (scheduled_by IS NOT NULL));

-- What the target was like when its change was approved: another one voids the approval.
ALTER TABLE pgluthier.approval ADD COLUMN preconditions jsonb;

ALTER TABLE pgluthier.apply
    -- Any replica may be asked; the one that runs the apply sees it here.
    ADD COLUMN cancel_requested_at timestamptz,
    ADD COLUMN cancel_requested_by text,
    ADD CHECK ((cancel_requested_at IS NULL) = (cancel_requested_by IS NULL));

CREATE TABLE pgluthier.apply_policy (
    target_id text PRIMARY KEY REFERENCES pgluthier.target ON DELETE CASCADE,
    policy jsonb NOT NULL,
    updated_at timestamptz NOT NULL,
    updated_by text NOT NULL
);

-- Emergency stops: while one is there nothing begins, and what runs is cancelled.
CREATE TABLE pgluthier.apply_stop (
    -- A target's id, or '*' for all.
    scope text PRIMARY KEY,
    because text NOT NULL,
    stopped_at timestamptz NOT NULL,
    stopped_by text NOT NULL
);
