-- Scorecards that later ones are compared with, and each target's own thresholds.

CREATE TABLE pgluthier.scorecard_baseline (
    target_id text NOT NULL REFERENCES pgluthier.target ON DELETE CASCADE,
    name text NOT NULL,
    saved_at timestamptz NOT NULL,
    actor text NOT NULL,
    scorecard jsonb NOT NULL,
    PRIMARY KEY (target_id, name)
);

-- Only what differs from the defaults; a target without a row has the defaults.
CREATE TABLE pgluthier.scorecard_thresholds (
    target_id text PRIMARY KEY REFERENCES pgluthier.target ON DELETE CASCADE,
    set_at timestamptz NOT NULL,
    actor text NOT NULL,
    thresholds jsonb NOT NULL
);
