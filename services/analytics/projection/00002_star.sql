-- +goose Up
-- The star: a row for each thing that topics tell of. Times are those of the world, not of the event. A customer's id is
-- the one that the event came with; whom it means since merges is asked for when it is read. What of a row is not known
-- yet, because its first event is missing, is empty.

-- Of an erased customer there is nothing to tell: who it was is gone, and it counts as nobody.
ALTER TABLE fact_customer ADD COLUMN erased_at timestamptz;

-- The lines of an order, one element each, by line number: an order is one row, and its lines are read with it.
ALTER TABLE fact_order
	ADD COLUMN skus           text[] NOT NULL DEFAULT '{}', -- of a line without one: empty
	ADD COLUMN quantities     bigint[] NOT NULL DEFAULT '{}',
	ADD COLUMN amounts        bigint[] NOT NULL DEFAULT '{}', -- minor units of the whole line
	ADD COLUMN opportunity_id uuid; -- that was won by it

-- What was sold and came back on a day in UTC. A return counts on the day on which it came back, by the channel that its
-- order had come by. The slot is the partition that the events came by: partitions are applied side by side, and a row that
-- all of them add to would make them wait for each other.
DROP TABLE revenue_month;
CREATE TABLE sales_day (
	tenant_id      text NOT NULL,
	currency       text NOT NULL,
	channel        text NOT NULL,
	day            date NOT NULL,
	slot           smallint NOT NULL,
	orders         bigint NOT NULL DEFAULT 0,
	units          bigint NOT NULL DEFAULT 0,
	gross_minor    bigint NOT NULL DEFAULT 0,
	returns        bigint NOT NULL DEFAULT 0,
	returned_units bigint NOT NULL DEFAULT 0,
	returned_minor bigint NOT NULL DEFAULT 0,
	PRIMARY KEY (tenant_id, currency, channel, day, slot)
);
CREATE INDEX sales_day_by_day ON sales_day (tenant_id, currency, day);
SELECT guanxi_tenant_table('sales_day');

CREATE TABLE fact_ticket (
	tenant_id     text NOT NULL,
	ticket_id     uuid NOT NULL,
	customer_id   uuid, -- null where nobody is known
	kind          text NOT NULL DEFAULT '', -- enquiry, incident, complaint, suggestion, praise
	channel       text NOT NULL DEFAULT '',
	priority      integer NOT NULL DEFAULT 0, -- 1 the most urgent to 5; 0 not known
	status        text NOT NULL DEFAULT 'new', -- new, open, pending, on_hold, resolved, closed
	opened_at     timestamptz NOT NULL,
	resolved_at   timestamptz, -- null again once it was reopened
	closed_at     timestamptz,
	first_contact boolean, -- resolved without a further word of the customer; null until it is resolved
	reopened      integer NOT NULL DEFAULT 0, -- times
	replies       integer NOT NULL DEFAULT 0, -- of people, on both sides
	resolution    text NOT NULL DEFAULT '',
	PRIMARY KEY (tenant_id, ticket_id)
);
CREATE INDEX fact_ticket_by_customer ON fact_ticket (tenant_id, customer_id, opened_at);
SELECT guanxi_tenant_table('fact_ticket');

CREATE TABLE fact_complaint (
	tenant_id     text NOT NULL,
	complaint_id  uuid NOT NULL,
	customer_id   uuid,
	category      text NOT NULL DEFAULT '',
	severity      integer, -- 1 grave to 4 slight; null until it is assessed and where it was not taken up
	registered_at timestamptz NOT NULL,
	closed_at     timestamptz, -- null again once it was reopened
	outcome       text NOT NULL DEFAULT '',
	cost_minor    bigint NOT NULL DEFAULT 0, -- of its remedy
	currency      text NOT NULL DEFAULT '', -- empty where it cost nothing
	reopened      integer NOT NULL DEFAULT 0, -- times
	PRIMARY KEY (tenant_id, complaint_id)
);
CREATE INDEX fact_complaint_by_customer ON fact_complaint (tenant_id, customer_id, registered_at);
SELECT guanxi_tenant_table('fact_complaint');

CREATE TABLE fact_interaction (
	tenant_id        text NOT NULL,
	interaction_id   uuid NOT NULL,
	customer_id      uuid NOT NULL,
	channel          text NOT NULL,
	direction        text NOT NULL, -- inbound, outbound
	touchpoint       text NOT NULL, -- empty where none was named
	outcome          text NOT NULL,
	duration_seconds bigint NOT NULL,
	occurred_at      timestamptz NOT NULL,
	PRIMARY KEY (tenant_id, interaction_id)
);
CREATE INDEX fact_interaction_by_customer ON fact_interaction (tenant_id, customer_id, occurred_at);
SELECT guanxi_tenant_table('fact_interaction');

CREATE TABLE fact_member (
	tenant_id        text NOT NULL,
	member_id        uuid NOT NULL,
	customer_id      uuid NOT NULL,
	programme        text NOT NULL DEFAULT '',
	tier             text NOT NULL DEFAULT '',
	tier_rank        integer NOT NULL DEFAULT 0, -- from 0 for the lowest
	enrolled_at      timestamptz NOT NULL,
	left_at          timestamptz, -- null again once the member came back
	points_available bigint NOT NULL DEFAULT 0,
	PRIMARY KEY (tenant_id, member_id)
);
CREATE INDEX fact_member_by_customer ON fact_member (tenant_id, customer_id);
SELECT guanxi_tenant_table('fact_member');

-- Paid memberships are contracts: they end unless they are renewed.
CREATE TABLE fact_membership (
	tenant_id     text NOT NULL,
	membership_id uuid NOT NULL,
	customer_id   uuid NOT NULL,
	plan          text NOT NULL DEFAULT '',
	started_at    timestamptz NOT NULL,
	renewals      integer NOT NULL DEFAULT 0, -- terms after the first
	ends_at       timestamptz, -- of the term that runs
	ended_at      timestamptz, -- when it really was over; null while it runs
	PRIMARY KEY (tenant_id, membership_id)
);
CREATE INDEX fact_membership_by_customer ON fact_membership (tenant_id, customer_id);
SELECT guanxi_tenant_table('fact_membership');

CREATE TABLE fact_points (
	tenant_id   text NOT NULL,
	entry_id    uuid NOT NULL,
	member_id   uuid NOT NULL,
	customer_id uuid NOT NULL,
	kind        text NOT NULL, -- earned, released, spent, reversed, restored, expired, adjusted
	points      bigint NOT NULL, -- more than 0; those taken by hand below
	reason_type text NOT NULL,
	at          timestamptz NOT NULL,
	PRIMARY KEY (tenant_id, entry_id)
);
CREATE INDEX fact_points_by_customer ON fact_points (tenant_id, customer_id, at);
SELECT guanxi_tenant_table('fact_points');

CREATE TABLE fact_answer (
	tenant_id    text NOT NULL,
	answer_id    uuid NOT NULL,
	customer_id  uuid, -- null in anonymous mode
	survey_id    uuid NOT NULL,
	kind         text NOT NULL, -- csat, nps, ces, questionnaire
	score        integer, -- 1 to 5 of csat, 0 to 10 of nps, 1 to 7 of ces; null of questionnaires
	touchpoint   text NOT NULL,
	ticket_id    uuid,
	complaint_id uuid,
	answered_at  timestamptz NOT NULL,
	ratings      jsonb NOT NULL DEFAULT '{}', -- numbers by the code of their question
	PRIMARY KEY (tenant_id, answer_id)
);
CREATE INDEX fact_answer_by_customer ON fact_answer (tenant_id, customer_id, answered_at);
CREATE INDEX fact_answer_by_kind ON fact_answer (tenant_id, kind, answered_at);
SELECT guanxi_tenant_table('fact_answer');

-- What a customer heard from us by a campaign.
CREATE TABLE fact_touch (
	tenant_id   text NOT NULL,
	touch_id    uuid NOT NULL, -- the event's
	customer_id uuid, -- null of a lead that nobody is known of
	campaign    text NOT NULL, -- the programme of nurturing, "retention", or the survey's kind
	touch       text NOT NULL, -- what was said or asked: the touch, the step, the touchpoint
	channel     text NOT NULL,
	origin      text NOT NULL, -- nurture, retention, survey
	at          timestamptz NOT NULL,
	PRIMARY KEY (tenant_id, touch_id)
);
CREATE INDEX fact_touch_by_customer ON fact_touch (tenant_id, customer_id, at);
SELECT guanxi_tenant_table('fact_touch');

CREATE TABLE fact_lead (
	tenant_id      text NOT NULL,
	lead_id        uuid NOT NULL,
	customer_id    uuid, -- null where nobody is known
	capture        text NOT NULL DEFAULT '', -- api, form, import, campaign_reply
	source         text NOT NULL DEFAULT '',
	campaign       text NOT NULL DEFAULT '',
	captured_at    timestamptz NOT NULL,
	state          text NOT NULL DEFAULT 'open', -- open, converted, lost
	converted_at   timestamptz,
	lost_at        timestamptz,
	opportunity_id uuid, -- that it became
	PRIMARY KEY (tenant_id, lead_id)
);
CREATE INDEX fact_lead_by_customer ON fact_lead (tenant_id, customer_id, captured_at);
SELECT guanxi_tenant_table('fact_lead');

CREATE TABLE fact_opportunity (
	tenant_id      text NOT NULL,
	opportunity_id uuid NOT NULL,
	customer_id    uuid,
	lead_id        uuid,
	pipeline       text NOT NULL DEFAULT '',
	source         text NOT NULL DEFAULT '',
	stage          text NOT NULL DEFAULT '',
	state          text NOT NULL DEFAULT 'open', -- open, won, lost, withdrawn
	currency       text NOT NULL DEFAULT '',
	amount_minor   bigint NOT NULL DEFAULT 0,
	opened_at      timestamptz NOT NULL,
	closed_at      timestamptz, -- won, lost or withdrawn; null again once it was reopened
	reason         text NOT NULL DEFAULT '', -- of a lost one
	PRIMARY KEY (tenant_id, opportunity_id)
);
CREATE INDEX fact_opportunity_by_customer ON fact_opportunity (tenant_id, customer_id, opened_at);
SELECT guanxi_tenant_table('fact_opportunity');

-- +goose Down
DROP TABLE fact_opportunity, fact_lead, fact_touch, fact_answer, fact_points, fact_membership, fact_member, fact_interaction,
	fact_complaint, fact_ticket, sales_day;
ALTER TABLE fact_order DROP COLUMN skus, DROP COLUMN quantities, DROP COLUMN amounts, DROP COLUMN opportunity_id;
ALTER TABLE fact_customer DROP COLUMN erased_at;
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
