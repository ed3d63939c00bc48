-- Snapshots are ordered, and partitioned, by the clock of who collects them: targets' clocks are set, and differ.
-- Those of before were ordered by the target's.
ALTER TABLE pgluthier.snapshot RENAME COLUMN taken_at TO collected_at;
ALTER TABLE pgluthier.snapshot
    -- On the target's clock; null: as collected_at (a snapshot of before, or one that did not come about).
    ADD COLUMN taken_at timestamptz;

-- Of the first snapshot of a day that was rolled up: how its samples of sessions were distributed, hour by hour.
ALTER TABLE pgluthier.snapshot ADD COLUMN activity_hours jsonb;

-- Days that were rolled up, so that it is done once.
CREATE TABLE pgluthier.roll_up (
    target_id text NOT NULL REFERENCES pgluthier.target ON DELETE CASCADE,
    day date NOT NULL,
    level text NOT NULL CHECK (level IN ('hourly', 'daily')),
    PRIMARY KEY (target_id, day)
);
