-- +goose Up
-- When a tenant's customers count as gone, and which risks are told of; tenants without a row have the standard.
CREATE TABLE churn_setting (
	tenant_id          text NOT NULL PRIMARY KEY,
	kind               text NOT NULL CHECK (kind IN ('silence', 'contract_end')),
	factor             double precision NOT NULL, -- times the median gap between purchase days
	min_days           integer NOT NULL,
	newcomer_days      integer NOT NULL, -- in the place of a rhythm that is not known
	horizon_days       integer NOT NULL,
	threshold_permille integer NOT NULL,
	jump_permille      integer NOT NULL, -- 0: jumps are not told of
	version            bigint NOT NULL,
	changed_by         text NOT NULL,
	changed_at         timestamptz NOT NULL
);
SELECT guanxi_tenant_table('churn_setting');

-- How likely each customer goes, as the last run says. Of merged customers there is one row, that of the one who stands for all;
-- a run takes away the rows of those who have no portrait any more.
CREATE TABLE churn_risk (
	tenant_id     text NOT NULL,
	customer_id   uuid NOT NULL,
	state         text NOT NULL CHECK (state IN ('scored', 'gone', 'unknown')), -- gone: by the definition already; unknown: never was a customer by it
	permille      smallint NOT NULL, -- 0 unless scored
	reasons       jsonb NOT NULL DEFAULT '[]',
	model_id      uuid NOT NULL,
	model_version bigint NOT NULL,
	above         boolean NOT NULL DEFAULT false, -- it passed the threshold, and that was told
	base          smallint NOT NULL DEFAULT 0, -- from which a jump is counted
	as_of         date NOT NULL,
	told_at       timestamptz, -- when it was last told of
	PRIMARY KEY (tenant_id, customer_id)
);
CREATE INDEX churn_risk_highest ON churn_risk (tenant_id, permille DESC, customer_id) WHERE state = 'scored';
SELECT guanxi_tenant_table('churn_risk');

-- Runs that score everybody, one after the other in a tenant. A run goes on after the customer it got to.
CREATE TABLE churn_run (
	tenant_id   text NOT NULL,
	id          uuid NOT NULL,
	state       text NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed')),
	model_id    uuid NOT NULL,
	as_of       date NOT NULL,
	after_id    uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
	scored      bigint NOT NULL DEFAULT 0,
	changed     bigint NOT NULL DEFAULT 0,
	gone        bigint NOT NULL DEFAULT 0,
	raised      bigint NOT NULL DEFAULT 0,
	due_at      timestamptz NOT NULL, -- when somebody else may go on with it
	asked_by    text NOT NULL,
	asked_at    timestamptz NOT NULL,
	finished_at timestamptz,
	code        text NOT NULL DEFAULT '', -- why it failed
	PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX churn_run_one ON churn_run (tenant_id) WHERE state IN ('queued', 'running');
CREATE INDEX churn_run_day ON churn_run (tenant_id, as_of);
SELECT guanxi_tenant_table('churn_run');

-- +goose StatementBegin
-- churn_waiting lists, over all tenants, runs that somebody may go on with, and tenants with a model in use that have no run of the
-- day yet. It gives ids only; whoever calls it goes on under row level security, tenant by tenant.
CREATE FUNCTION churn_waiting(p_now timestamptz, p_today date) RETURNS TABLE (tenant_id text, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT r.tenant_id, r.id FROM churn_run r WHERE r.state IN ('queued', 'running') AND r.due_at <= p_now
    UNION ALL
    SELECT k.tenant_id, '00000000-0000-0000-0000-000000000000'::uuid FROM model_kind k
    WHERE k.kind = 'churn' AND k.in_use IS NOT NULL AND NOT EXISTS (
        SELECT FROM churn_run r WHERE r.tenant_id = k.tenant_id AND (r.as_of >= p_today OR r.state IN ('queued', 'running')))
$$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE 'REVOKE EXECUTE ON FUNCTION churn_waiting(timestamptz, date) FROM PUBLIC';
    EXECUTE format('GRANT EXECUTE ON FUNCTION churn_waiting(timestamptz, date) TO %I', guanxi_role('app'));
    EXECUTE format('GRANT EXECUTE ON FUNCTION churn_waiting(timestamptz, date) TO %I', guanxi_role('ops'));
END
$$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION churn_waiting(timestamptz, date);
DROP TABLE churn_run, churn_risk, churn_setting;
