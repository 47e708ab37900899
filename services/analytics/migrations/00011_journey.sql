-- +goose Up
-- What a tenant counts as which stage of the funnel. One without a row has the house's own rules.
CREATE TABLE journey_mapping (
	tenant_id  text NOT NULL PRIMARY KEY,
	version    bigint NOT NULL,
	rules      jsonb NOT NULL,
	changed_by text NOT NULL,
	changed_at timestamptz NOT NULL
);
SELECT guanxi_tenant_table('journey_mapping');

-- How far a run is: customers up to after_id are counted, then those who were merged, then what belongs to nobody.
CREATE TABLE journey_progress (
	tenant_id       text NOT NULL,
	run_id          uuid NOT NULL,
	phase           text NOT NULL CHECK (phase IN ('customers', 'merged', 'nobody')),
	after_id        uuid NOT NULL,
	mapping_version bigint NOT NULL, -- that the funnel counts by
	merged_ids      uuid[] NOT NULL, -- whom ids meant when it began, with merged_roots: who is merged meanwhile is counted once
	merged_roots    uuid[] NOT NULL,
	PRIMARY KEY (tenant_id, run_id)
);
SELECT guanxi_tenant_table('journey_progress');

-- The run of each kind whose numbers are read.
CREATE TABLE journey_kept (
	tenant_id       text NOT NULL,
	kind            text NOT NULL,
	run_id          uuid NOT NULL,
	as_of           date NOT NULL,
	mapping_version bigint NOT NULL,
	kept_at         timestamptz NOT NULL,
	PRIMARY KEY (tenant_id, kind)
);
SELECT guanxi_tenant_table('journey_kept');

-- Customers by the month and channel of their first net purchase in a currency, so many months (age) later. What belongs to no
-- cohort stands in journey_rest; both together are all revenue.
CREATE TABLE journey_cohort (
	tenant_id      text NOT NULL,
	run_id         uuid NOT NULL,
	currency       text NOT NULL,
	cohort         date NOT NULL,
	channel        text NOT NULL,
	age            integer NOT NULL,
	customers      bigint NOT NULL, -- with a net purchase in the month
	orders         bigint NOT NULL,
	gross_minor    bigint NOT NULL,
	returned_minor bigint NOT NULL, -- in the month
	PRIMARY KEY (tenant_id, run_id, currency, cohort, channel, age)
);
SELECT guanxi_tenant_table('journey_cohort');

CREATE TABLE journey_rest (
	tenant_id      text NOT NULL,
	run_id         uuid NOT NULL,
	currency       text NOT NULL,
	month          date NOT NULL,
	orders         bigint NOT NULL,
	gross_minor    bigint NOT NULL,
	returned_minor bigint NOT NULL,
	PRIMARY KEY (tenant_id, run_id, currency, month)
);
SELECT guanxi_tenant_table('journey_rest');

-- People by the month and channel of their first step, and how far they came.
CREATE TABLE journey_funnel (
	tenant_id text NOT NULL,
	run_id    uuid NOT NULL,
	month     date NOT NULL,
	channel   text NOT NULL,
	stage     smallint NOT NULL, -- 1 visitor, 2 browser, 3 shopper, 4 buyer
	people    bigint NOT NULL, -- who were there or further
	PRIMARY KEY (tenant_id, run_id, month, channel, stage)
);
SELECT guanxi_tenant_table('journey_funnel');

-- Of those who stood in a stage and then in the next one, how many needed so many whole days.
CREATE TABLE journey_funnel_days (
	tenant_id text NOT NULL,
	run_id    uuid NOT NULL,
	month     date NOT NULL,
	channel   text NOT NULL,
	stage     smallint NOT NULL, -- that was left
	days      integer NOT NULL,
	people    bigint NOT NULL,
	PRIMARY KEY (tenant_id, run_id, month, channel, stage, days)
);
SELECT guanxi_tenant_table('journey_funnel_days');

-- +goose Down
DROP TABLE journey_funnel_days, journey_funnel, journey_rest, journey_cohort, journey_kept, journey_progress, journey_mapping;
