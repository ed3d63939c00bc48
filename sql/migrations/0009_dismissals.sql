-- Who set a recommendation aside, when, why, and on what evidence: it stays away until that changes.

ALTER TABLE pgluthier.recommendation
    -- Null unless its state is dismissed.
    ADD COLUMN dismissal jsonb;
