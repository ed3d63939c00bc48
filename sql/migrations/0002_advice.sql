-- Analyses, recommendations with their life, approvals, applies with their journal, job runs, audit.

CREATE TABLE pgluthier.analysis (
    target_id text NOT NULL REFERENCES pgluthier.target ON DELETE CASCADE,
    analysis_id text NOT NULL,
    state text NOT NULL CHECK (state IN ('running', 'succeeded', 'failed')),
    actor text NOT NULL,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    error jsonb,
    -- The report's summary again: lists show it without reading the reports.
    summary jsonb,
    report jsonb,
    PRIMARY KEY (target_id, analysis_id)
);
CREATE INDEX analysis_started_idx ON pgluthier.analysis (target_id, started_at DESC);

-- One row a recommendation and generation: advice that comes back after it was carried out is a new generation.
CREATE TABLE pgluthier.recommendation (
    target_id text NOT NULL REFERENCES pgluthier.target ON DELETE CASCADE,
    recommendation_id text NOT NULL,
    generation integer NOT NULL DEFAULT 1,
    fingerprint text NOT NULL,
    rule text NOT NULL,
    kind text NOT NULL,
    severity text NOT NULL CHECK (severity IN ('critical', 'high', 'medium', 'low', 'info')),
    state text NOT NULL CHECK (state IN (
        'open', 'dismissed', 'superseded', 'approved', 'applying', 'verifying', 'succeeded', 'inconclusive', 'failed',
        'needs_attention'
    )),
    plan_hash text NOT NULL,
    -- The recommendation as the API gives it, but for its state.
    body jsonb NOT NULL,
    analysis_id text NOT NULL,
    first_seen timestamptz NOT NULL,
    last_seen timestamptz NOT NULL,
    PRIMARY KEY (target_id, recommendation_id, generation)
);
CREATE INDEX recommendation_state_idx ON pgluthier.recommendation (target_id, state);

CREATE TABLE pgluthier.approval (
    target_id text NOT NULL,
    recommendation_id text NOT NULL,
    generation integer NOT NULL,
    plan_hash text NOT NULL,
    actor text NOT NULL,
    approved_at timestamptz NOT NULL,
    PRIMARY KEY (target_id, recommendation_id, generation, approved_at),
    FOREIGN KEY (target_id, recommendation_id, generation) REFERENCES pgluthier.recommendation ON DELETE CASCADE
);

CREATE TABLE pgluthier.apply (
    target_id text NOT NULL REFERENCES pgluthier.target ON DELETE CASCADE,
    apply_id text NOT NULL,
    recommendation_id text NOT NULL,
    generation integer NOT NULL,
    state text NOT NULL CHECK (state IN ('queued', 'running', 'verifying', 'done', 'failed', 'needs_attention')),
    plan jsonb NOT NULL,
    actor text NOT NULL,
    created_at timestamptz NOT NULL,
    finished_at timestamptz,
    before_snapshot_id text NOT NULL,
    after_snapshot_id text,
    progress jsonb,
    outcome jsonb,
    verdict jsonb,
    PRIMARY KEY (target_id, apply_id),
    FOREIGN KEY (target_id, recommendation_id, generation) REFERENCES pgluthier.recommendation ON DELETE CASCADE
);
-- One open apply a recommendation, whatever two replicas try at once.
CREATE UNIQUE INDEX apply_open_idx ON pgluthier.apply (target_id, recommendation_id)
WHERE state IN ('queued', 'running', 'verifying');

CREATE TABLE pgluthier.journal (
    target_id text NOT NULL,
    apply_id text NOT NULL,
    step integer NOT NULL,
    purpose text NOT NULL CHECK (purpose IN ('statement', 'cleanup', 'analyze')),
    sql text NOT NULL,
    state text NOT NULL CHECK (state IN ('intended', 'done', 'failed', 'cleaned_up', 'unknown')),
    backend_pid integer,
    backend_start text,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    sqlstate text,
    message text,
    PRIMARY KEY (target_id, apply_id, step),
    FOREIGN KEY (target_id, apply_id) REFERENCES pgluthier.apply ON DELETE CASCADE
);

-- A fire of a job belongs to the replica whose row is first.
CREATE TABLE pgluthier.job_run (
    job_run_id text PRIMARY KEY,
    job text NOT NULL,
    fire_at timestamptz NOT NULL,
    instance text NOT NULL,
    state text NOT NULL CHECK (state IN ('running', 'succeeded', 'failed', 'skipped')),
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    details jsonb,
    error text,
    UNIQUE (job, fire_at)
);

-- Append-only; each row's hash covers its content and the hash before it.
CREATE TABLE pgluthier.audit (
    audit_id bigint PRIMARY KEY,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    target_id text,
    subject_id text,
    details jsonb NOT NULL,
    previous_hash text NOT NULL,
    hash text NOT NULL
);

CREATE FUNCTION pgluthier.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only';
END
$$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON pgluthier.audit
FOR EACH STATEMENT EXECUTE FUNCTION pgluthier.refuse_change();
