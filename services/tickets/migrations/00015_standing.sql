-- +goose Up

-- How customers stand is told by other services as well, the grade by one and the tier by another: each has the time that it is
-- of, so that the later word holds. None: that of set_at. Before all time: nothing was told of it.
ALTER TABLE customer_standing
    ADD COLUMN grade_at timestamptz,
    ADD COLUMN tier_at  timestamptz;
