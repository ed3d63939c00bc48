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

-- One row a snapshot; the nouns whose counters always move are in the row itself, so that retention drops them with
-- the partition. Partitions are made by the day when a snapshot is saved.
CREATE TABLE pgluthier.snapshot (
    target_id text NOT NULL REFERENCES pgluthier.target ON DELETE CASCADE,
    taken_at timestamptz NOT NULL,
    snapshot_id text NOT NULL,
    status text NOT NULL CHECK (status IN ('complete', 'partial', 'failed')),
    duration_ms double precision,
    counts jsonb NOT NULL,
    limits jsonb NOT NULL,
    -- Compressed JSON of the nouns that differ in every snapshot; null for a failed one.
    counters bytea,
    -- Noun to part_hash of the nouns that rarely change.
    parts jsonb NOT NULL,
    PRIMARY KEY (target_id, taken_at, snapshot_id)
) PARTITION BY RANGE (taken_at);
CREATE INDEX snapshot_id_idx ON pgluthier.snapshot (target_id, snapshot_id);

-- Nouns that rarely change (schema, columns' statistics, settings …), once per content.
CREATE TABLE pgluthier.snapshot_part (
    target_id text NOT NULL REFERENCES pgluthier.target ON DELETE CASCADE,
    part_hash text NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (target_id, part_hash)
);

-- Statement texts, once each.
CREATE TABLE pgluthier.query_text (
    target_id text NOT NULL REFERENCES pgluthier.target ON DELETE CASCADE,
    text_hash text NOT NULL,
    query text NOT NULL,
    last_seen date NOT NULL,
    PRIMARY KEY (target_id, text_hash)
);
