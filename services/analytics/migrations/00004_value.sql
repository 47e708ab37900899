-- +goose Up
-- By what values are reckoned; a tenant without a row has the defaults of the code. Amounts are in minor units of currency.
CREATE TABLE value_settings (
	tenant_id         text NOT NULL PRIMARY KEY,
	version           bigint NOT NULL,
	currency          text NOT NULL, -- of the costs: they count where it is the reporting currency
	margin            double precision NOT NULL, -- share of revenue, net of tax, that is left once the goods are paid
	tax               double precision NOT NULL, -- rate that is in the totals of orders
	annual_rate       double precision NOT NULL, -- by which money is discounted
	horizon_months    integer NOT NULL, -- of predicted value
	purchase_model    text NOT NULL, -- bgnbd or pareto-nbd
	ticket_minor      bigint NOT NULL, -- cost to serve of a ticket
	touches           jsonb NOT NULL, -- cost of a touch by its origin
	acquisition       jsonb NOT NULL, -- cost of acquiring a customer by source
	acquisition_minor bigint NOT NULL, -- of other sources
	changed_at        timestamptz NOT NULL,
	changed_by        text NOT NULL
);
SELECT guanxi_tenant_table('value_settings');

-- How far a run over all customers is, and what it has added up.
CREATE TABLE value_run (
	tenant_id       text NOT NULL,
	run_id          uuid NOT NULL,
	currency        text NOT NULL DEFAULT '',
	begun           boolean NOT NULL DEFAULT false, -- models and settings are those below
	after           uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000', -- the customer that was done last
	purchase_model  uuid,
	spend_model     uuid,
	settings        bigint NOT NULL DEFAULT 0,
	customers       bigint NOT NULL DEFAULT 0,
	buyers          bigint NOT NULL DEFAULT 0,
	predicted       bigint NOT NULL DEFAULT 0, -- customers with a predicted value
	changed         bigint NOT NULL DEFAULT 0, -- portraits that were written
	told            bigint NOT NULL DEFAULT 0, -- events
	predicted_minor bigint NOT NULL DEFAULT 0,
	realised_minor  bigint NOT NULL DEFAULT 0,
	new_minor       bigint NOT NULL DEFAULT 0,
	raised_minor    bigint NOT NULL DEFAULT 0,
	lowered_minor   bigint NOT NULL DEFAULT 0,
	PRIMARY KEY (tenant_id, run_id)
);
SELECT guanxi_tenant_table('value_run');

-- The predicted value that was told of a customer last.
CREATE TABLE value_told (
	tenant_id       text NOT NULL,
	customer_id     uuid NOT NULL,
	predicted_minor bigint NOT NULL,
	told_at         timestamptz NOT NULL,
	PRIMARY KEY (tenant_id, customer_id)
);
SELECT guanxi_tenant_table('value_told');

-- Customer equity: the sum of predicted values, as it was on a day, and what moved it since the last row of which that is known:
-- predicted_minor = that of the row before + new_minor + raised_minor - lowered_minor - gone_minor. Of a day that was over when it
-- was reckoned nobody knows it: moved is false, and the amounts are 0.
CREATE TABLE value_equity (
	tenant_id       text NOT NULL,
	as_of           date NOT NULL,
	currency        text NOT NULL,
	customers       bigint NOT NULL,
	buyers          bigint NOT NULL, -- customers with a purchase
	predicted       bigint NOT NULL, -- customers with a predicted value
	predicted_minor bigint NOT NULL,
	realised_minor  bigint NOT NULL,
	moved           boolean NOT NULL,
	new_minor       bigint NOT NULL, -- of customers who had no predicted value before
	raised_minor    bigint NOT NULL, -- by which values rose
	lowered_minor   bigint NOT NULL, -- by which values fell, positive
	gone_minor      bigint NOT NULL, -- of customers who have no predicted value any more, or are no customers any more, positive
	purchase_model  uuid,
	spend_model     uuid,
	run_id          uuid NOT NULL,
	reckoned_at     timestamptz NOT NULL,
	PRIMARY KEY (tenant_id, as_of)
);
SELECT guanxi_tenant_table('value_equity');

-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('REVOKE DELETE ON value_settings, value_run, value_equity FROM %I', guanxi_role('app'));
END
$$;
-- +goose StatementEnd

-- +goose Down
DROP TABLE value_equity, value_told, value_run, value_settings;
