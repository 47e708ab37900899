-- +goose Up
-- Facts are what topics say, placed so that questions can be asked of them. Run once in the schema live and once in
-- shadow: no name here has a schema. Nothing here refers to another table by foreign key, since events of different
-- aggregates come in any order.

CREATE TABLE fact_customer (
	tenant_id     text NOT NULL,
	customer_id   uuid NOT NULL,
	kind          text NOT NULL,
	source        text NOT NULL,
	registered_at timestamptz NOT NULL,
	PRIMARY KEY (tenant_id, customer_id)
);
SELECT guanxi_tenant_table('fact_customer');

CREATE TABLE fact_order (
	tenant_id   text NOT NULL,
	order_id    uuid NOT NULL,
	customer_id uuid, -- unknown until the customer is heard of
	channel     text NOT NULL,
	currency    text NOT NULL,
	units       bigint NOT NULL,
	total_minor bigint NOT NULL,
	placed_at   timestamptz NOT NULL,
	PRIMARY KEY (tenant_id, order_id)
);
CREATE INDEX fact_order_by_customer ON fact_order (tenant_id, customer_id, placed_at);
SELECT guanxi_tenant_table('fact_order');

CREATE TABLE fact_return (
	tenant_id    text NOT NULL,
	return_id    uuid NOT NULL,
	order_id     uuid NOT NULL,
	currency     text NOT NULL,
	units        bigint NOT NULL,
	amount_minor bigint NOT NULL,
	returned_at  timestamptz NOT NULL,
	PRIMARY KEY (tenant_id, return_id)
);
CREATE INDEX fact_return_by_order ON fact_return (tenant_id, order_id, returned_at);
SELECT guanxi_tenant_table('fact_return');

-- Months in UTC. The slot is the partition that the events came by: partitions are applied side by side, and a row
-- that all of them add to would make them wait for each other.
CREATE TABLE revenue_month (
	tenant_id      text NOT NULL,
	currency       text NOT NULL,
	month          date NOT NULL,
	slot           smallint NOT NULL,
	orders         bigint NOT NULL DEFAULT 0,
	units          bigint NOT NULL DEFAULT 0,
	gross_minor    bigint NOT NULL DEFAULT 0,
	returns        bigint NOT NULL DEFAULT 0,
	returned_units bigint NOT NULL DEFAULT 0,
	returned_minor bigint NOT NULL DEFAULT 0,
	PRIMARY KEY (tenant_id, currency, month, slot)
);
SELECT guanxi_tenant_table('revenue_month');

-- The time of the newest event that has been placed, per topic and partition: the "as of" of every answer.
CREATE TABLE fact_as_of (
	tenant_id text NOT NULL,
	topic     text NOT NULL,
	slot      smallint NOT NULL,
	newest_at timestamptz NOT NULL,
	PRIMARY KEY (tenant_id, topic, slot)
);
SELECT guanxi_tenant_table('fact_as_of');

-- +goose Down
DROP TABLE fact_as_of, revenue_month, fact_return, fact_order, fact_customer;
