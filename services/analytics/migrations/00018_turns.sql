-- +goose Up
-- Runs of a tenant take turns: no is the order in which they were stored, worker is who has the run until leased_until. A run without
-- one that is leased waits after a failure, and others go past it.
ALTER TABLE analytics_run ADD COLUMN no bigint GENERATED ALWAYS AS IDENTITY, ADD COLUMN worker uuid;
DROP INDEX analytics_run_open;
CREATE INDEX analytics_run_open ON analytics_run (tenant_id, no) WHERE state IN ('queued', 'running') OR settling;

-- When something was heard of the customer.
ALTER TABLE portrait_due ADD COLUMN at timestamptz NOT NULL DEFAULT now();

-- Customers whose portraits could not be made, or not be followed: they are tried again alone, at again_at, so that nobody waits for them.
CREATE TABLE portrait_aside (
	tenant_id   text NOT NULL,
	customer_id uuid NOT NULL,
	attempts    integer NOT NULL,
	failure     text NOT NULL, -- the part that failed and a code, nothing personal
	since       timestamptz NOT NULL,
	again_at    timestamptz NOT NULL,
	PRIMARY KEY (tenant_id, customer_id)
);
CREATE INDEX portrait_aside_again ON portrait_aside (tenant_id, again_at);
SELECT guanxi_tenant_table('portrait_aside');

-- +goose Down
DROP TABLE portrait_aside;
ALTER TABLE portrait_due DROP COLUMN at;
DROP INDEX analytics_run_open;
CREATE INDEX analytics_run_open ON analytics_run (kind, asked_at) WHERE state IN ('queued', 'running') OR settling;
ALTER TABLE analytics_run DROP COLUMN worker, DROP COLUMN no;
