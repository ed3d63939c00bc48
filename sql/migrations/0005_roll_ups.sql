-- Snapshots are ordered, and partitioned, by the clock of who collects them: targets' clocks are set, and differ.
-- Those of before were ordered by the target's.
ALTER TABLE pgluthier.snapshot RENAME COLUMN taken_at TO collected_at;
ALTER TABLE pgluthier.snapshot
    -- On the target's clock; null: as collected_at (a snapshot of before, or one that did not come about).
    ADD COLUMN taken_at timestamptz;
