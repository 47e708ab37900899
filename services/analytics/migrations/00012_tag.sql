-- +goose Up
-- The tree of tags: groups, which hold others, and tags, which customers have. A tag of kind fact or model has a value for each of
-- its bands, named <code>_<band>; one of kind rule has one, named as the tag.
CREATE TABLE tag (
	tenant_id   text NOT NULL,
	id          uuid NOT NULL,
	code        text NOT NULL,
	kind        text NOT NULL CHECK (kind IN ('group', 'fact', 'rule', 'model')),
	parent      text NOT NULL DEFAULT '', -- code of a group; empty at the top
	name        text NOT NULL,
	description text NOT NULL DEFAULT '',
	owner       text NOT NULL DEFAULT '', -- the team or subject that answers for it
	field       text NOT NULL DEFAULT '', -- of fact and model
	bands       jsonb NOT NULL DEFAULT '[]', -- of fact and model
	filter      jsonb, -- of rule
	valid_days  integer NOT NULL DEFAULT 0, -- for how long it stays once it holds no longer
	archived    boolean NOT NULL DEFAULT false,
	version     bigint NOT NULL DEFAULT 1,
	created_at  timestamptz NOT NULL,
	updated_at  timestamptz NOT NULL,
	updated_by  text NOT NULL,
	PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX tag_code ON tag (tenant_id, code);
SELECT guanxi_tenant_table('tag');

-- Each version of a tag as it was, the present one included.
CREATE TABLE tag_version (
	tenant_id  text NOT NULL,
	code       text NOT NULL,
	version    bigint NOT NULL,
	of         jsonb NOT NULL, -- the row of tag
	PRIMARY KEY (tenant_id, code, version)
);
SELECT guanxi_tenant_table('tag_version');

-- Who has which value, by the customer who stands for all its ids. The portrait's tags are the values of its rows.
CREATE TABLE tag_holder (
	tenant_id   text NOT NULL,
	customer_id uuid NOT NULL,
	value       text NOT NULL,
	since       timestamptz NOT NULL,
	until       date, -- the last day; null while its definition holds
	PRIMARY KEY (tenant_id, customer_id, value)
);
CREATE INDEX tag_holder_by_value ON tag_holder (tenant_id, value, customer_id);
CREATE INDEX tag_holder_until ON tag_holder (until, tenant_id, customer_id) WHERE until IS NOT NULL;
SELECT guanxi_tenant_table('tag_holder');

-- How many have a value, as the last run found it, of so many customers.
CREATE TABLE tag_coverage (
	tenant_id   text NOT NULL,
	value       text NOT NULL,
	customers   bigint NOT NULL,
	of          bigint NOT NULL,
	reckoned_at timestamptz NOT NULL,
	PRIMARY KEY (tenant_id, value)
);
SELECT guanxi_tenant_table('tag_coverage');

-- How far a run over all customers is.
CREATE TABLE tag_run (
	tenant_id text NOT NULL,
	run_id    uuid NOT NULL,
	revision  bigint NOT NULL, -- of all definitions together, by which it tags
	after_id  uuid NOT NULL, -- the last customer who is done
	customers bigint NOT NULL, -- looked at
	changed   bigint NOT NULL, -- portraits that were
	PRIMARY KEY (tenant_id, run_id)
);
SELECT guanxi_tenant_table('tag_run');

-- That scores were written by a run of theirs, once a transaction.
CREATE TABLE tag_due (
	tenant_id text NOT NULL,
	tx        bigint NOT NULL,
	PRIMARY KEY (tenant_id, tx)
);
SELECT guanxi_tenant_table('tag_due');

-- +goose StatementBegin
CREATE FUNCTION portrait_scores_to_tags() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF coalesce(current_setting('app.tenant_id', true), '') <> '' THEN
		INSERT INTO tag_due (tenant_id, tx) VALUES (current_setting('app.tenant_id', true), txid_current()) ON CONFLICT DO NOTHING;
	END IF;
	RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER portrait_scores_to_tags AFTER UPDATE OF rfm_r, rfm_f, rfm_m, rfm_cell, grade, realised_value_minor, predicted_value_minor,
	expected_purchases, p_alive, churn_permille, stage, cluster, strength, loyalty_index ON portrait
	FOR EACH STATEMENT EXECUTE FUNCTION portrait_scores_to_tags();

-- +goose StatementBegin
DO $$
BEGIN
	EXECUTE format('REVOKE UPDATE, DELETE ON tag_version FROM %I', guanxi_role('app'));
END
$$;
-- +goose StatementEnd

-- +goose Down
DROP TRIGGER portrait_scores_to_tags ON portrait;
DROP FUNCTION portrait_scores_to_tags();
DROP TABLE tag_due, tag_run, tag_coverage, tag_holder, tag_version, tag;
