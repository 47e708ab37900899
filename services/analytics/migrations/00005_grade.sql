-- +goose Up
-- How customers are graded, and how current and potential value are set against each other. A change is a new version;
-- what nobody set has none.
CREATE TABLE grade_definition (
	tenant_id  text NOT NULL,
	name       text NOT NULL CHECK (name IN ('scheme', 'potential')),
	version    bigint NOT NULL,
	content    jsonb NOT NULL,
	by_subject text NOT NULL,
	changed_at timestamptz NOT NULL,
	PRIMARY KEY (tenant_id, name, version)
);
SELECT guanxi_tenant_table('grade_definition');

CREATE TABLE grade_run (
	tenant_id      text NOT NULL,
	run_id         uuid NOT NULL,
	as_of          date NOT NULL,
	currency       text NOT NULL,
	scheme_version bigint NOT NULL, -- 0: the house's own
	portraits      boolean NOT NULL, -- whether portraits take the grades over
	phase          text NOT NULL DEFAULT 'reading' CHECK (phase IN ('reading', 'writing', 'done')),
	after_customer uuid, -- how far the phase is
	customers      bigint NOT NULL DEFAULT 0,
	changed        bigint NOT NULL DEFAULT 0, -- moves between grades
	least          bigint[], -- the contribution with which each grade but the last begins
	facts_as_of    timestamptz,
	reckoned_at    timestamptz, -- from when on the result can be read
	kept           boolean NOT NULL DEFAULT true, -- whether the contributions are there
	PRIMARY KEY (tenant_id, run_id)
);
CREATE INDEX grade_run_last ON grade_run (tenant_id, as_of, reckoned_at) WHERE reckoned_at IS NOT NULL;
SELECT guanxi_tenant_table('grade_run');

-- What each customer with a net purchase brought and cost in the window of a run, in minor units.
CREATE TABLE grade_contribution (
	tenant_id          text NOT NULL,
	run_id             uuid NOT NULL,
	customer_id        uuid NOT NULL,
	net_minor          bigint NOT NULL,
	margin_minor       bigint NOT NULL,
	tickets_minor      bigint NOT NULL,
	complaints_minor   bigint NOT NULL, -- with their remedies
	touches_minor      bigint NOT NULL,
	interactions_minor bigint NOT NULL,
	contribution_minor bigint NOT NULL, -- margin less the four
	PRIMARY KEY (tenant_id, run_id, customer_id)
);
SELECT guanxi_tenant_table('grade_contribution');

-- What the customers of each grade brought and cost: kept for good.
CREATE TABLE grade_total (
	tenant_id          text NOT NULL,
	run_id             uuid NOT NULL,
	place              integer NOT NULL, -- from 1 for the highest
	grade              text NOT NULL,
	customers          bigint NOT NULL,
	net_minor          bigint NOT NULL,
	margin_minor       bigint NOT NULL,
	tickets_minor      bigint NOT NULL,
	complaints_minor   bigint NOT NULL,
	touches_minor      bigint NOT NULL,
	interactions_minor bigint NOT NULL,
	contribution_minor bigint NOT NULL,
	PRIMARY KEY (tenant_id, run_id, place)
);
SELECT guanxi_tenant_table('grade_total');

-- Each move of a customer from one grade to another, for good. Empty: in none, for want of a net purchase in the window.
CREATE TABLE grade_move (
	tenant_id   text NOT NULL,
	customer_id uuid NOT NULL,
	as_of       date NOT NULL,
	run_id      uuid NOT NULL,
	from_grade  text NOT NULL,
	grade       text NOT NULL,
	PRIMARY KEY (tenant_id, customer_id, as_of, run_id)
);
SELECT guanxi_tenant_table('grade_move');

-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE ON grade_move FROM %I', guanxi_role('app'));
    EXECUTE format('REVOKE UPDATE, DELETE ON grade_definition FROM %I', guanxi_role('app'));
END
$$;
-- +goose StatementEnd

-- +goose Down
DROP TABLE grade_move, grade_total, grade_contribution, grade_run, grade_definition;
