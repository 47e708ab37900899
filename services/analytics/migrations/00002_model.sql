-- +goose Up
-- Models that were fitted, each kind with versions of its own. One never changes after it was fitted.
CREATE TABLE model (
	tenant_id  text NOT NULL,
	id         uuid NOT NULL,
	kind       text NOT NULL,
	version    bigint NOT NULL,
	source     text NOT NULL CHECK (source IN ('facts', 'table')),
	cutoff     date, -- the last day of the facts that it was fitted to
	currency   text NOT NULL DEFAULT '',
	rows       bigint NOT NULL,
	params     jsonb NOT NULL, -- numbers by name
	errors     jsonb NOT NULL, -- standard errors of params, as far as they are defined
	fit        jsonb NOT NULL, -- how good it is: numbers by name
	warnings   text[] NOT NULL DEFAULT '{}',
	options    json NOT NULL, -- what was asked for; json, here and below, keeps the order of fields for a repeated answer
	detail     json NOT NULL, -- tables and plots of the kind
	state      json NOT NULL, -- what the kind needs to apply it, beside params
	predicted  bigint NOT NULL DEFAULT 0, -- rows of model_prediction, in all chunks
	trained_at timestamptz NOT NULL,
	trained_by text NOT NULL,
	PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX model_by_version ON model (tenant_id, kind, version);
SELECT guanxi_tenant_table('model');

-- One row a kind: the last version given out, and the model in use.
CREATE TABLE model_kind (
	tenant_id    text NOT NULL,
	kind         text NOT NULL,
	last_version bigint NOT NULL DEFAULT 0,
	in_use       uuid,
	used_since   timestamptz,
	used_by      text NOT NULL DEFAULT '',
	PRIMARY KEY (tenant_id, kind)
);
SELECT guanxi_tenant_table('model_kind');

-- What a model says of each row of the table that it was fitted to: chunks of rows in the order of the table.
CREATE TABLE model_prediction (
	tenant_id text NOT NULL,
	model_id  uuid NOT NULL,
	chunk     integer NOT NULL,
	rows      json NOT NULL,
	PRIMARY KEY (tenant_id, model_id, chunk)
);
SELECT guanxi_tenant_table('model_prediction');

-- Fits that are too large for a request.
CREATE TABLE model_job (
	tenant_id   text NOT NULL,
	id          uuid NOT NULL,
	kind        text NOT NULL,
	state       text NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed')),
	source      text NOT NULL,
	options     json NOT NULL,
	attempts    integer NOT NULL DEFAULT 0,
	due_at      timestamptz NOT NULL, -- queued: when it may begin; running: when it counts as given up
	asked_at    timestamptz NOT NULL,
	asked_by    text NOT NULL,
	started_at  timestamptz,
	finished_at timestamptz,
	model_id    uuid,
	code        text NOT NULL DEFAULT '', -- of the problem that it failed with
	reason      text NOT NULL DEFAULT '',
	PRIMARY KEY (tenant_id, id)
);
CREATE INDEX model_job_due ON model_job (due_at) WHERE state IN ('queued', 'running');
SELECT guanxi_tenant_table('model_job');

-- The table of a job as it was uploaded, until the job has ended.
CREATE TABLE model_upload (
	tenant_id text NOT NULL,
	job_id    uuid NOT NULL,
	chunk     integer NOT NULL,
	content   bytea NOT NULL,
	PRIMARY KEY (tenant_id, job_id, chunk)
);
SELECT guanxi_tenant_table('model_upload');

-- +goose StatementBegin
-- model_job_waiting lists jobs of all tenants that may begin, or whose worker gave no sign of life. It gives ids only; whoever
-- calls it goes on under row level security, tenant by tenant.
CREATE FUNCTION model_job_waiting(p_now timestamptz, p_limit integer) RETURNS TABLE (tenant_id text, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT j.tenant_id, j.id FROM model_job j WHERE j.state IN ('queued', 'running') AND j.due_at <= p_now ORDER BY j.due_at LIMIT p_limit
$$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE ON model, model_prediction FROM %I', guanxi_role('app'));
    EXECUTE format('REVOKE DELETE ON model_kind, model_job FROM %I', guanxi_role('app'));
    EXECUTE 'REVOKE EXECUTE ON FUNCTION model_job_waiting(timestamptz, integer) FROM PUBLIC';
    EXECUTE format('GRANT EXECUTE ON FUNCTION model_job_waiting(timestamptz, integer) TO %I', guanxi_role('app'));
    EXECUTE format('GRANT EXECUTE ON FUNCTION model_job_waiting(timestamptz, integer) TO %I', guanxi_role('ops'));
END
$$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION model_job_waiting(timestamptz, integer);
DROP TABLE model_upload, model_job, model_prediction, model_kind, model;
