-- +goose Up

-- Introductions of CRM. How far one is stands in progress; the plan by which it goes is its version plan_version.
CREATE TABLE rollout (
    tenant_id    text        NOT NULL,
    id           uuid        NOT NULL,
    name         text        NOT NULL,
    state        text        NOT NULL CHECK (state IN ('draft', 'running', 'paused', 'finished', 'cancelled')),
    version      bigint      NOT NULL CHECK (version > 0), -- rises by one with every change
    template     text        NOT NULL,
    plan_version integer     NOT NULL CHECK (plan_version > 0),
    progress     jsonb       NOT NULL,
    created_by   text        NOT NULL,
    created_at   timestamptz NOT NULL,
    started_at   timestamptz,
    ended_at     timestamptz,
    PRIMARY KEY (tenant_id, id)
);
SELECT guanxi_tenant_table('rollout');

-- Plans are kept by version.
CREATE TABLE rollout_plan (
    tenant_id  text        NOT NULL,
    rollout_id uuid        NOT NULL,
    version    integer     NOT NULL CHECK (version > 0),
    plan       jsonb       NOT NULL,
    by_subject text        NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, rollout_id, version),
    FOREIGN KEY (tenant_id, rollout_id) REFERENCES rollout (tenant_id, id)
);
SELECT guanxi_tenant_table('rollout_plan');

-- What happened, in its order; nothing of it is changed later.
CREATE TABLE rollout_step (
    tenant_id   text        NOT NULL,
    rollout_id  uuid        NOT NULL,
    no          integer     NOT NULL CHECK (no > 0),
    action      text        NOT NULL,
    decision_id uuid,       -- null for what the process did by itself
    hash        bytea,      -- of the decision's request
    by_subject  text        NOT NULL,
    at          timestamptz NOT NULL,
    note_id     uuid,       -- what was said with it
    detail      jsonb       NOT NULL,
    PRIMARY KEY (tenant_id, rollout_id, no),
    FOREIGN KEY (tenant_id, rollout_id) REFERENCES rollout (tenant_id, id)
);
CREATE INDEX rollout_step_decision ON rollout_step (tenant_id, rollout_id, decision_id) WHERE decision_id IS NOT NULL;
SELECT guanxi_tenant_table('rollout_step');

-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE ON rollout_plan, rollout_step FROM %I', guanxi_role('app'));
    EXECUTE format('REVOKE DELETE ON rollout FROM %I', guanxi_role('app'));
END
$$;
-- +goose StatementEnd
