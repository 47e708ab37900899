-- +goose Up
-- By what rules a tenant's customers are in which stage; tenants without a row have the standard.
CREATE TABLE lifecycle_setting (
	tenant_id             text NOT NULL PRIMARY KEY,
	familiarity_purchases integer NOT NULL,
	loyalty_purchases     integer NOT NULL,
	loyalty_tenure_days   integer NOT NULL,
	satisfied_at          integer NOT NULL,
	silence_factor        double precision NOT NULL,
	silence_min_days      integer NOT NULL,
	silence_new_days      integer NOT NULL,
	early_days            integer NOT NULL,
	version               bigint NOT NULL,
	changed_by            text NOT NULL,
	changed_at            timestamptz NOT NULL
);
SELECT guanxi_tenant_table('lifecycle_setting');

-- Where each customer stands. Of merged customers there is one row, that of the one who stands for all.
CREATE TABLE lifecycle_state (
	tenant_id   text NOT NULL,
	customer_id uuid NOT NULL,
	stage       text NOT NULL,
	since       date NOT NULL,
	reasons     text[] NOT NULL,
	steps       integer NOT NULL, -- in lifecycle_step
	pattern     text NOT NULL,
	first_on    date, -- the first purchase day
	channel     text NOT NULL DEFAULT '', -- of the first purchase
	left_on     date, -- the separation that holds
	as_of       date NOT NULL, -- up to which it was looked at
	PRIMARY KEY (tenant_id, customer_id)
);
SELECT guanxi_tenant_table('lifecycle_state');

-- When each stage was seen to begin. Rows are only added: what is heard late, or other rules, add what follows from them.
CREATE TABLE lifecycle_step (
	tenant_id   text NOT NULL,
	customer_id uuid NOT NULL,
	no          integer NOT NULL, -- from 1
	stage       text NOT NULL,
	began_on    date NOT NULL, -- never before that of the step before
	seen_at     timestamptz NOT NULL,
	reasons     text[] NOT NULL,
	PRIMARY KEY (tenant_id, customer_id, no)
);
SELECT guanxi_tenant_table('lifecycle_step');

-- How far a run over all customers is.
CREATE TABLE lifecycle_run (
	tenant_id text NOT NULL,
	run_id    uuid NOT NULL,
	settings  bigint NOT NULL, -- version that it began with
	after_id  uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000', -- the customer that was done last
	customers bigint NOT NULL DEFAULT 0,
	proposed  bigint NOT NULL DEFAULT 0, -- events
	PRIMARY KEY (tenant_id, run_id)
);
SELECT guanxi_tenant_table('lifecycle_run');

-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE ON lifecycle_step FROM %I', guanxi_role('app'));
    EXECUTE format('REVOKE DELETE ON lifecycle_setting, lifecycle_run FROM %I', guanxi_role('app'));
END
$$;
-- +goose StatementEnd

-- +goose Down
DROP TABLE lifecycle_run, lifecycle_step, lifecycle_state, lifecycle_setting;
