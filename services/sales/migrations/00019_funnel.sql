-- +goose Up

-- Cohorts: what came in, and what was opened, in a time.
CREATE INDEX lead_captured ON lead (tenant_id, captured_at, id);
CREATE INDEX opportunity_opened ON opportunity (tenant_id, opened_at, id);
