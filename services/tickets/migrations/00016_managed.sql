-- +goose Up

-- Who keeps a policy where that is not people, and what it is called there. Empty: people, and nothing.
ALTER TABLE sla_policy
    ADD COLUMN managed_by  text NOT NULL DEFAULT '',
    ADD COLUMN external_id text NOT NULL DEFAULT '';
CREATE UNIQUE INDEX sla_policy_by_external_id ON sla_policy (tenant_id, external_id) WHERE NOT archived AND external_id <> '';
