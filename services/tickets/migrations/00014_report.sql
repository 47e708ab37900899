-- +goose Up

-- What was resolved in a time, for reports.
CREATE INDEX ticket_history_resolved ON ticket_history (tenant_id, at) WHERE what = 'status' AND status = 'resolved';
