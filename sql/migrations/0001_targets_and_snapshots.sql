-- Targets and what was collected of them. Every table of a target has target_id first in its primary key, so that the
-- store can be distributed by it.

CREATE TABLE pgluthier.target (
    target_id text PRIMARY KEY,
    name text NOT NULL UNIQUE,
    -- env:NAME, file:/path, or sealed: then dsn_sealed holds nonce, ciphertext and tag of AES-256-GCM.
    dsn_source text NOT NULL,
    dsn_sealed bytea,
    dsn_key_id text,
    address text NOT NULL,
    host_overrides jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    CHECK ((dsn_source = 'sealed') = (dsn_sealed IS NOT NULL AND dsn_key_id IS NOT NULL))
);

-- One row a snapshot, partitioned by the day (UTC): partitions are made when the day's first snapshot is saved, and
-- retention drops them whole. No foreign key to the target: making and dropping partitions would lock that table too;
-- the writer holds the target's row instead.
CREATE TABLE pgluthier.snapshot (
    target_id text NOT NULL,
    taken_at timestamptz NOT NULL,
    snapshot_id text NOT NULL,
    status text NOT NULL CHECK (status IN ('complete', 'partial', 'failed')),
    duration_ms double precision,
    counts jsonb NOT NULL,
    limits jsonb NOT NULL,
    -- The snapshot of the same day whose rows this one's body is a difference from; null: the body stands by itself.
    base_snapshot_id text,
    -- Brotli over JSON; null for a failed one.
    body bytea,
    PRIMARY KEY (target_id, taken_at, snapshot_id),
    CHECK ((status = 'failed') = (body IS NULL))
) PARTITION BY RANGE (taken_at);
-- Compressed already.
ALTER TABLE pgluthier.snapshot ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE INDEX snapshot_id_idx ON pgluthier.snapshot (target_id, snapshot_id);

-- What rarely changes (columns' statistics by table, settings, schema), once per content. `last_seen` is the day of
-- the newest snapshot that holds it: older than every kept day, it goes.
CREATE TABLE pgluthier.snapshot_part (
    target_id text NOT NULL REFERENCES pgluthier.target ON DELETE CASCADE,
    hash text NOT NULL,
    last_seen date NOT NULL,
    -- Deflated JSON.
    body bytea NOT NULL,
    PRIMARY KEY (target_id, hash)
);
ALTER TABLE pgluthier.snapshot_part ALTER COLUMN body SET STORAGE EXTERNAL;

-- Statements' texts, once each.
CREATE TABLE pgluthier.query_text (
    target_id text NOT NULL REFERENCES pgluthier.target ON DELETE CASCADE,
    hash text NOT NULL,
    last_seen date NOT NULL,
    query text NOT NULL,
    PRIMARY KEY (target_id, hash)
);
