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

-- How far a run that scores everybody is.
CREATE TABLE churn_run (
	tenant_id text NOT NULL,
	run_id    uuid NOT NULL,
	model_id  uuid NOT NULL, -- by which; when another one comes into use the run begins anew
	after_id  uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000', -- the customer that was done last
	scored    bigint NOT NULL DEFAULT 0,
	changed   bigint NOT NULL DEFAULT 0, -- portraits
	gone      bigint NOT NULL DEFAULT 0,
	raised    bigint NOT NULL DEFAULT 0, -- events
	PRIMARY KEY (tenant_id, run_id)
);
SELECT guanxi_tenant_table('churn_run');

-- +goose Down
DROP TABLE churn_run, churn_risk, churn_setting;
