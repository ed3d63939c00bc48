-- When each target is collected next, and by whom: several replicas share the targets.

ALTER TABLE pgluthier.target
    -- Another database than the DSN names: all databases of a server share one DSN.
    ADD COLUMN database_name text,
    -- api: somebody added it. file: the list of targets has it, or had it.
    ADD COLUMN origin text NOT NULL DEFAULT 'api' CHECK (origin IN ('api', 'file')),
    ADD COLUMN labels jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN paused_at timestamptz,
    ADD COLUMN paused_because text,
    ADD CHECK ((paused_at IS NULL) = (paused_because IS NULL));

CREATE TABLE pgluthier.target_schedule (
    target_id text PRIMARY KEY REFERENCES pgluthier.target ON DELETE CASCADE,
    -- host:port: of one server, one database is collected at a time.
    server text NOT NULL,
    next_due_at timestamptz NOT NULL,
    -- A replica that was killed never gives its lease back: it ends by itself.
    lease_owner text,
    lease_until timestamptz,
    -- 0: healthy. More: a suspect, collected in a lane of its own and less and less often.
    consecutive_failures integer NOT NULL,
    last_error_code text,
    last_success_at timestamptz,
    CHECK ((lease_owner IS NULL) = (lease_until IS NULL))
);
CREATE INDEX ON pgluthier.target_schedule (next_due_at);

-- abandoned: the replica that ran it is gone.
ALTER TABLE pgluthier.job_run DROP CONSTRAINT job_run_state_check,
    ADD CONSTRAINT job_run_state_check CHECK (state IN ('running', 'succeeded', 'failed', 'skipped', 'abandoned'));
