-- +goose Up

-- Who keeps a rollout where that is not people, and what they call it.
ALTER TABLE rollout ADD COLUMN external_id text NOT NULL DEFAULT '', ADD COLUMN managed_by text NOT NULL DEFAULT '';
CREATE UNIQUE INDEX rollout_external ON rollout (tenant_id, external_id) WHERE external_id <> '';

-- A decision stands once, whatever rollout it is of.
DROP INDEX rollout_step_decision;
CREATE UNIQUE INDEX rollout_step_decision ON rollout_step (tenant_id, decision_id) WHERE decision_id IS NOT NULL;

-- What people said with decisions. It goes into no event and no process.
CREATE TABLE rollout_note (
    tenant_id  text        NOT NULL,
    id         uuid        NOT NULL,
    rollout_id uuid        NOT NULL,
    words      text        NOT NULL,
    by_subject text        NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, rollout_id) REFERENCES rollout (tenant_id, id)
);
CREATE INDEX rollout_note_by_rollout ON rollout_note (tenant_id, rollout_id);
SELECT guanxi_tenant_table('rollout_note');

-- +goose StatementBegin
-- rollout_going lists the rollouts of all tenants that should have a process. It gives ids only; whoever calls it goes on under row
-- level security, tenant by tenant.
CREATE FUNCTION rollout_going(p_limit integer) RETURNS TABLE (tenant_id text, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT r.tenant_id, r.id FROM rollout r WHERE r.state IN ('running', 'paused') ORDER BY r.started_at LIMIT p_limit
$$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE ON rollout_note FROM %I', guanxi_role('app'));
    EXECUTE 'REVOKE EXECUTE ON FUNCTION rollout_going(integer) FROM PUBLIC';
    EXECUTE format('GRANT EXECUTE ON FUNCTION rollout_going(integer) TO %I', guanxi_role('app'));
END
$$;
-- +goose StatementEnd
