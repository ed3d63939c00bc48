-- Fast snapshots: counters and what runs now, kept as differences chained to the one before; and what windows are
-- chosen by without a body being read.
ALTER TABLE pgluthier.snapshot
    ADD COLUMN cadence text NOT NULL DEFAULT 'full' CHECK (cadence IN ('full', 'fast')),
    -- Of a fast one: the full one of the same day that it is put together with.
    ADD COLUMN full_snapshot_id text,
    -- The sample of sessions in figures; null: not seen.
    ADD COLUMN activity jsonb,
    -- Equal in two snapshots: no counter began anew in between. Null: written by an older version.
    ADD COLUMN epoch text,
    -- pg_stat_statements_info.dealloc: a rise tells of evicted statements.
    ADD COLUMN dealloc bigint;
