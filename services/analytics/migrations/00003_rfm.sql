-- +goose Up
-- Runs are long reckonings over all customers of a tenant, done behind the scenes in steps. The row says what is to be done and
-- how far it is; what a kind has to remember beside stands in a table of its own, by the same id.
CREATE TABLE analytics_run (
	tenant_id    text NOT NULL,
	run_id       uuid NOT NULL,
	kind         text NOT NULL, -- rfm, grade
	as_of        date NOT NULL, -- the day up to which facts are looked at
	cause        text NOT NULL CHECK (cause IN ('daily', 'asked')),
	asked_by     text NOT NULL DEFAULT '', -- subject; empty of daily ones
	asked_at     timestamptz NOT NULL,
	state        text NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed')),
	attempts     integer NOT NULL DEFAULT 0,
	leased_until timestamptz, -- whoever works on it has it until then; after a kill somebody else goes on
	started_at   timestamptz,
	finished_at  timestamptz,
	settling     boolean NOT NULL DEFAULT false, -- done, but for what nobody waits for
	failure      text NOT NULL DEFAULT '', -- code of why it failed
	PRIMARY KEY (tenant_id, run_id)
);
CREATE UNIQUE INDEX analytics_run_daily ON analytics_run (tenant_id, kind, as_of) WHERE cause = 'daily';
CREATE UNIQUE INDEX analytics_run_asked ON analytics_run (tenant_id, kind) WHERE cause = 'asked' AND state IN ('queued', 'running');
CREATE INDEX analytics_run_open ON analytics_run (kind, asked_at) WHERE state IN ('queued', 'running') OR settling;
SELECT guanxi_tenant_table('analytics_run');

-- How scores are given, by currency. A change is a new version; a currency without a row is rated relative to all customers,
-- without a window. Bounds are where the scores 2, 3, 4 and 5 begin; null: relative.
CREATE TABLE rfm_scheme (
	tenant_id   text NOT NULL,
	currency    text NOT NULL,
	version     bigint NOT NULL,
	window_days integer NOT NULL, -- of daily runs; 0: all days
	r_bounds    bigint[], -- days since the last purchase, at most
	f_bounds    bigint[], -- purchase days, at least
	m_bounds    bigint[], -- minor units, at least
	by_subject  text NOT NULL,
	changed_at  timestamptz NOT NULL,
	PRIMARY KEY (tenant_id, currency, version)
);
SELECT guanxi_tenant_table('rfm_scheme');

-- Names of the 25 pairs of R and F, R 1 with F 1 to 5 first. Version 1 is the house's own and has no row.
CREATE TABLE rfm_cell_map (
	tenant_id  text NOT NULL,
	version    bigint NOT NULL CHECK (version > 1),
	cells      text[] NOT NULL CHECK (cardinality(cells) = 25),
	by_subject text NOT NULL,
	changed_at timestamptz NOT NULL,
	PRIMARY KEY (tenant_id, version)
);
SELECT guanxi_tenant_table('rfm_cell_map');

CREATE TABLE rfm_run (
	tenant_id      text NOT NULL,
	run_id         uuid NOT NULL,
	currency       text NOT NULL,
	as_of          date NOT NULL,
	window_days    integer NOT NULL,
	scheme_version bigint NOT NULL,
	cell_map       bigint NOT NULL,
	portraits      boolean NOT NULL, -- whether portraits take the scores over
	phase          text NOT NULL DEFAULT 'reading' CHECK (phase IN ('reading', 'writing', 'following', 'telling', 'done')),
	after_customer uuid, -- how far the phase is
	customers      bigint NOT NULL DEFAULT 0,
	changed        bigint NOT NULL DEFAULT 0, -- portraits that were
	r_cuts         date[], -- where the scores 2 to 5 begin; null where nobody is rated
	f_cuts         bigint[],
	m_cuts         bigint[],
	facts_as_of    timestamptz,
	reckoned_at    timestamptz, -- from when on ratings can be read
	kept           boolean NOT NULL DEFAULT true, -- whether the ratings are there
	PRIMARY KEY (tenant_id, run_id)
);
CREATE INDEX rfm_run_current ON rfm_run (tenant_id, reckoned_at) WHERE portraits AND reckoned_at IS NOT NULL;
CREATE INDEX rfm_run_open ON rfm_run (tenant_id) WHERE phase IN ('reading', 'writing', 'following');
CREATE INDEX rfm_run_of ON rfm_run (tenant_id, currency, as_of, window_days) WHERE kept AND reckoned_at IS NOT NULL;
SELECT guanxi_tenant_table('rfm_run');

-- What a run found of each customer; its cuts make the scores of it.
CREATE TABLE rfm_rating (
	tenant_id   text NOT NULL,
	run_id      uuid NOT NULL,
	customer_id uuid NOT NULL,
	last_day    date NOT NULL,
	days        bigint NOT NULL,
	net_minor   bigint NOT NULL,
	PRIMARY KEY (tenant_id, run_id, customer_id)
);
SELECT guanxi_tenant_table('rfm_rating');

-- Customers of whom something was heard while a run was at it: what it read of them may be older.
CREATE TABLE rfm_followed (
	tenant_id   text NOT NULL,
	run_id      uuid NOT NULL,
	customer_id uuid NOT NULL,
	PRIMARY KEY (tenant_id, run_id, customer_id)
);
SELECT guanxi_tenant_table('rfm_followed');

-- The cell of each customer that was told last.
CREATE TABLE rfm_told (
	tenant_id   text NOT NULL,
	customer_id uuid NOT NULL,
	cell        text NOT NULL,
	PRIMARY KEY (tenant_id, customer_id)
);
SELECT guanxi_tenant_table('rfm_told');

-- +goose Down
DROP TABLE rfm_told, rfm_followed, rfm_rating, rfm_run, rfm_cell_map, rfm_scheme, analytics_run;
