-- +goose Up
-- One row a customer with all that is known of it, as segments, tags and models read it. Merged customers have one row, that of
-- the one who stands for all; erased ones have none. It is wide on purpose: a question about a million customers reads one
-- table once. What depends on today is kept as days and instants, and reckoned when it is asked for.
CREATE TABLE portrait (
	tenant_id   text NOT NULL,
	customer_id uuid NOT NULL,

	-- Facts, reckoned anew whenever something is heard of the customer.
	kind               text NOT NULL DEFAULT 'unknown', -- person, organisation
	source             text NOT NULL DEFAULT '',
	registered_at      timestamptz,
	orders             integer NOT NULL DEFAULT 0, -- net purchases: those that did not come back whole
	purchase_days      integer NOT NULL DEFAULT 0, -- distinct days of net purchases
	first_purchase_on  date,
	last_purchase_on   date,
	units              bigint NOT NULL DEFAULT 0,
	gross_minor        bigint NOT NULL DEFAULT 0, -- in the tenant's reporting currency only
	returned_minor     bigint NOT NULL DEFAULT 0,
	net_minor          bigint NOT NULL DEFAULT 0,
	last_channel       text NOT NULL DEFAULT '',
	channels           text[] NOT NULL DEFAULT '{}', -- that the customer bought by
	products           text[] NOT NULL DEFAULT '{}', -- that it bought, at most 200
	tickets            integer NOT NULL DEFAULT 0,
	tickets_open       integer NOT NULL DEFAULT 0,
	complaints         integer NOT NULL DEFAULT 0,
	complaints_open    integer NOT NULL DEFAULT 0,
	last_complaint_at  timestamptz,
	interactions       integer NOT NULL DEFAULT 0,
	last_contact_at    timestamptz,
	touches            integer NOT NULL DEFAULT 0, -- of campaigns
	last_touch_at      timestamptz,
	csat               smallint, -- the latest answer, 1 to 5
	csat_at            timestamptz,
	nps                smallint, -- the latest answer, 0 to 10
	nps_at             timestamptz,
	tier               text NOT NULL DEFAULT '',
	points_available   bigint NOT NULL DEFAULT 0,
	contract_ends_on   date, -- of the membership that runs longest
	leads_open         integer NOT NULL DEFAULT 0,
	opportunities_open integer NOT NULL DEFAULT 0,
	opportunities_won  integer NOT NULL DEFAULT 0,

	-- Scores, each written by the room that reckons it; null where there is none.
	rfm_r                 smallint,
	rfm_f                 smallint,
	rfm_m                 smallint,
	rfm_cell              text,
	grade                 text,
	realised_value_minor  bigint,
	predicted_value_minor bigint,
	expected_purchases    real, -- within the horizon of the model in use
	p_alive               real, -- null where it is not defined: no repeat purchase
	churn_permille        smallint,
	stage                 text, -- of the relationship's life
	cluster               text,
	strength              real,
	loyalty_index         real,
	tags                  text[] NOT NULL DEFAULT '{}',

	updated_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, customer_id)
) WITH (fillfactor = 80);
SELECT guanxi_tenant_table('portrait');

-- Customers of whom something was heard that their portrait does not have yet. Rows are only added and taken away: partitions
-- that speak of one customer do not wait for each other. What comes in masses has a lane of its own, so that one customer who
-- does something does not wait behind a million others.
CREATE TABLE portrait_due (
	tenant_id   text NOT NULL,
	lane        smallint NOT NULL, -- 0: at once, 1: in masses
	id          bigint GENERATED ALWAYS AS IDENTITY,
	customer_id uuid NOT NULL,
	PRIMARY KEY (tenant_id, lane, id)
);
SELECT guanxi_tenant_table('portrait_due');

-- How far a run is that makes all portraits anew.
CREATE TABLE portrait_run (
	tenant_id text NOT NULL,
	run_id    uuid NOT NULL,
	after_id  uuid NOT NULL, -- the last customer who is done
	customers bigint NOT NULL,
	PRIMARY KEY (tenant_id, run_id)
);
SELECT guanxi_tenant_table('portrait_run');

-- The last rebuild of the facts after which portraits were made anew.
CREATE TABLE portrait_rebuilt (
	tenant_id  text NOT NULL PRIMARY KEY,
	rebuild_id uuid NOT NULL
);
SELECT guanxi_tenant_table('portrait_rebuilt');

-- What a tenant has set for all its figures.
CREATE TABLE analytics_settings (
	tenant_id text NOT NULL PRIMARY KEY,
	currency  text NOT NULL, -- the reporting currency: amounts in others are left out of portraits
	version   bigint NOT NULL DEFAULT 1,
	updated_at timestamptz NOT NULL
);
SELECT guanxi_tenant_table('analytics_settings');

-- +goose Down
DROP TABLE analytics_settings, portrait_rebuilt, portrait_run, portrait_due, portrait;
