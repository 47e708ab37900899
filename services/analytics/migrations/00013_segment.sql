-- +goose Up
-- Segments: customers who are chosen by a filter or listed by hand. A live one follows what becomes of customers, a static one
-- is a list that changes by hand only.
CREATE TABLE segment (
	tenant_id   text NOT NULL,
	id          uuid NOT NULL,
	code        text NOT NULL,
	name        text NOT NULL,
	description text NOT NULL DEFAULT '',
	owner       text NOT NULL DEFAULT '', -- the team or subject that answers for it
	kind        text NOT NULL CHECK (kind IN ('live', 'static')),
	filter      jsonb, -- null: a list by hand
	state       text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'retired')),
	version     bigint NOT NULL DEFAULT 1,
	day         date NOT NULL, -- that all customers were judged for last, or are about to be
	created_at  timestamptz NOT NULL,
	updated_at  timestamptz NOT NULL,
	updated_by  text NOT NULL,
	PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX segment_code ON segment (tenant_id, code);
SELECT guanxi_tenant_table('segment');

CREATE TABLE segment_version (
	tenant_id  text NOT NULL,
	segment_id uuid NOT NULL,
	version    bigint NOT NULL,
	name       text NOT NULL,
	filter     jsonb,
	state      text NOT NULL,
	created_at timestamptz NOT NULL,
	created_by text NOT NULL,
	PRIMARY KEY (tenant_id, segment_id, version)
);
SELECT guanxi_tenant_table('segment_version');

-- Who is in. The key is what keeps anybody from entering twice. Rows of static segments keep the id that was listed, and are
-- read by whom it means.
CREATE TABLE segment_member (
	tenant_id   text NOT NULL,
	segment_id  uuid NOT NULL,
	customer_id uuid NOT NULL,
	since       timestamptz NOT NULL,
	PRIMARY KEY (tenant_id, segment_id, customer_id)
);
CREATE INDEX segment_member_by_customer ON segment_member (tenant_id, customer_id);
SELECT guanxi_tenant_table('segment_member');

-- How many came and went, by day in UTC; what a segment has is the sum. The slot keeps those who write at once apart.
CREATE TABLE segment_flow (
	tenant_id  text NOT NULL,
	segment_id uuid NOT NULL,
	day        date NOT NULL,
	slot       smallint NOT NULL,
	entered    bigint NOT NULL,
	gone       bigint NOT NULL,
	PRIMARY KEY (tenant_id, segment_id, day, slot)
);
SELECT guanxi_tenant_table('segment_flow');

-- Judgements of all customers anew. Only the newest of a segment is carried out; asking for one waits for nobody.
CREATE TABLE segment_run (
	tenant_id   text NOT NULL,
	id          uuid NOT NULL,
	segment_id  uuid NOT NULL,
	cause       text NOT NULL CHECK (cause IN ('facts', 'definition', 'retired')),
	state       text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'superseded')),
	after_id    uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000', -- where it stands
	customers   bigint NOT NULL DEFAULT 0, -- looked at
	entered     bigint NOT NULL DEFAULT 0,
	gone        bigint NOT NULL DEFAULT 0,
	asked_at    timestamptz NOT NULL,
	finished_at timestamptz,
	PRIMARY KEY (tenant_id, id)
);
CREATE INDEX segment_run_by_segment ON segment_run (tenant_id, segment_id, id DESC);
CREATE INDEX segment_run_open ON segment_run (tenant_id, segment_id, id) WHERE state IN ('queued', 'running');
SELECT guanxi_tenant_table('segment_run');

-- That scores or tags were written by a run of theirs, once a transaction.
CREATE TABLE segment_due (
	tenant_id text NOT NULL,
	tx        bigint NOT NULL,
	PRIMARY KEY (tenant_id, tx)
);
SELECT guanxi_tenant_table('segment_due');

-- +goose StatementBegin
CREATE FUNCTION portrait_scores_to_segments() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF coalesce(current_setting('app.tenant_id', true), '') <> '' THEN
		INSERT INTO segment_due (tenant_id, tx) VALUES (current_setting('app.tenant_id', true), txid_current()) ON CONFLICT DO NOTHING;
	END IF;
	RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER portrait_scores_to_segments AFTER UPDATE OF rfm_r, rfm_f, rfm_m, rfm_cell, grade, realised_value_minor, predicted_value_minor,
	expected_purchases, p_alive, churn_permille, stage, cluster, strength, loyalty_index, tags ON portrait
	FOR EACH STATEMENT EXECUTE FUNCTION portrait_scores_to_segments();

-- +goose StatementBegin
-- segment_tenants lists the tenants whose segments have something to do on p_today.
CREATE FUNCTION segment_tenants(p_today date) RETURNS TABLE (tenant_id text, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
	SELECT t.tenant_id, '00000000-0000-0000-0000-000000000000'::uuid FROM (
		SELECT r.tenant_id FROM segment_run r WHERE r.state IN ('queued', 'running')
		UNION SELECT d.tenant_id FROM segment_due d
		UNION SELECT s.tenant_id FROM segment s WHERE s.kind = 'live' AND s.state = 'active' AND s.day < p_today
	) t ORDER BY 1
$$;
-- +goose StatementEnd
-- +goose StatementBegin
DO $$
BEGIN
	EXECUTE 'REVOKE EXECUTE ON FUNCTION segment_tenants(date) FROM PUBLIC';
	EXECUTE format('GRANT EXECUTE ON FUNCTION segment_tenants(date) TO %I, %I', guanxi_role('app'), guanxi_role('ops'));
	EXECUTE format('REVOKE UPDATE, DELETE ON segment_version FROM %I', guanxi_role('app'));
END
$$;
-- +goose StatementEnd

-- +goose Down
DROP TRIGGER portrait_scores_to_segments ON portrait;
DROP FUNCTION segment_tenants(date), portrait_scores_to_segments();
DROP TABLE segment_due, segment_run, segment_flow, segment_member, segment_version, segment;
