-- +goose Up
-- The trace that an event is of, 16 bytes; NULL where nobody recorded it, and for what was placed before the column was
-- there, until the next rebuild.
ALTER TABLE timeline_entry ADD COLUMN trace_id bytea;
ALTER TABLE timeline_unresolved ADD COLUMN trace_id bytea;

-- +goose Down
ALTER TABLE timeline_unresolved DROP COLUMN trace_id;
ALTER TABLE timeline_entry DROP COLUMN trace_id;
