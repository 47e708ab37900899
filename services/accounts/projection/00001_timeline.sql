-- +goose Up
-- Customers' timelines: what the topics of all services say of each customer. Run once in the schema live and once in
-- shadow: no name here has a schema. All rows follow from events alone. Partitions are applied side by side, and no two of
-- them ever write the same row: an aggregate's events come by one partition, and what several partitions add to is kept
-- apart for each.

-- What stands on the timelines. The key is in the order of the pages.
CREATE TABLE timeline_entry (
	tenant_id    text NOT NULL,
	customer_id  uuid NOT NULL,
	at           timestamptz NOT NULL, -- when it happened
	event_id     uuid NOT NULL,
	service      text NOT NULL,
	title        text NOT NULL,
	aggregate    text NOT NULL,
	aggregate_id text NOT NULL,
	details      json NOT NULL, -- the fields that the event shows
	PRIMARY KEY (tenant_id, customer_id, at, event_id)
);
SELECT guanxi_tenant_table('timeline_entry');

-- Entries whose customer is not known yet. They are moved when a later event of their aggregate names the customer.
CREATE TABLE timeline_unresolved (
	tenant_id    text NOT NULL,
	service      text NOT NULL,
	aggregate    text NOT NULL,
	aggregate_id text NOT NULL,
	event_id     uuid NOT NULL,
	epoch        integer NOT NULL,
	seq          bigint NOT NULL,
	at           timestamptz NOT NULL,
	title        text NOT NULL,
	details      json NOT NULL,
	changes      json NOT NULL, -- of facts, once it is known whose
	PRIMARY KEY (tenant_id, service, aggregate, aggregate_id, event_id)
);
SELECT guanxi_tenant_table('timeline_unresolved');

-- What each contributor gives to a fact; the fact is the sum. Where events set the fact, their aggregate contributes
-- ("loyalty/member/0190..."); where they add to it, the partition that they came by ("sales/7").
CREATE TABLE timeline_fact (
	tenant_id   text NOT NULL,
	customer_id uuid NOT NULL,
	name        text NOT NULL,
	unit        text NOT NULL, -- empty where there is only one
	contributor text NOT NULL,
	value       bigint NOT NULL,
	PRIMARY KEY (tenant_id, customer_id, name, unit, contributor)
);
SELECT guanxi_tenant_table('timeline_fact');

-- The time of the newest event that has been placed, per service and partition: the "as of" of every answer.
CREATE TABLE timeline_as_of (
	tenant_id text NOT NULL,
	service   text NOT NULL,
	slot      smallint NOT NULL,
	newest_at timestamptz NOT NULL,
	PRIMARY KEY (tenant_id, service, slot)
);
SELECT guanxi_tenant_table('timeline_as_of');

-- +goose Down
DROP TABLE timeline_as_of, timeline_fact, timeline_unresolved, timeline_entry;
