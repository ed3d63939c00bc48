-- Settings that only a restart brings into force are written together, all or none, for one window.

CREATE TABLE pgluthier.restart_batch (
    target_id text NOT NULL REFERENCES pgluthier.target ON DELETE CASCADE,
    batch_id text NOT NULL,
    -- SHA-256 over the plan hashes of its members: what was decided on.
    batch_hash text NOT NULL,
    actor text NOT NULL,
    created_at timestamptz NOT NULL,
    state text NOT NULL CHECK (state IN ('running', 'written', 'failed', 'needs_attention')),
    finished_at timestamptz,
    -- Worst case of all memory settings before and after, as it was told then.
    memory jsonb,
    PRIMARY KEY (target_id, batch_id),
    CHECK ((state = 'running') = (finished_at IS NULL))
);

ALTER TABLE pgluthier.apply
    ADD COLUMN batch_id text,
    -- When the server was seen to have begun anew since: pg_postmaster_start_time().
    ADD COLUMN restarted_at timestamptz,
    ADD FOREIGN KEY (target_id, batch_id) REFERENCES pgluthier.restart_batch;

CREATE INDEX apply_batch_idx ON pgluthier.apply (target_id, batch_id) WHERE batch_id IS NOT NULL;
