-- +goose Up
-- The association rules that are in use, as recommendations read them: those whose condition a set of articles meets have an
-- article of the set as their anchor, which is the first of their condition.
CREATE TABLE mining_rule (
	tenant_id  text NOT NULL,
	no         integer NOT NULL, -- from 1, the best first
	model_id   uuid NOT NULL, -- that they are of
	conditions text[] NOT NULL, -- article codes, ascending
	anchor     text NOT NULL,
	consequent text NOT NULL,
	baskets    bigint NOT NULL,
	with_if    bigint NOT NULL,
	with_then  bigint NOT NULL,
	with_both  bigint NOT NULL,
	score      double precision NOT NULL, -- lift times confidence
	PRIMARY KEY (tenant_id, no)
);
CREATE INDEX mining_rule_by_anchor ON mining_rule (tenant_id, anchor);
SELECT guanxi_tenant_table('mining_rule');

-- How far the writing of clusters into portraits is: those up to after_id have theirs. It begins again each day, since what
-- depends on today moves, and when another model is put to use.
CREATE TABLE mining_assignment (
	tenant_id   text NOT NULL PRIMARY KEY,
	model_id    uuid NOT NULL,
	day         date NOT NULL, -- of today in what is reckoned, UTC
	after_id    uuid NOT NULL,
	done        boolean NOT NULL DEFAULT false,
	customers   bigint NOT NULL DEFAULT 0, -- looked at
	changed     bigint NOT NULL DEFAULT 0, -- whose cluster is another one
	started_at  timestamptz NOT NULL,
	finished_at timestamptz
);
SELECT guanxi_tenant_table('mining_assignment');

-- +goose StatementBegin
-- mining_assignment_due lists tenants whose portraits have not all been given a cluster today.
CREATE FUNCTION mining_assignment_due(p_today date) RETURNS TABLE (tenant_id text, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
	SELECT a.tenant_id, a.model_id FROM mining_assignment a WHERE NOT a.done OR a.day < p_today ORDER BY a.tenant_id
$$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
BEGIN
	EXECUTE 'REVOKE EXECUTE ON FUNCTION mining_assignment_due(date) FROM PUBLIC';
	EXECUTE format('GRANT EXECUTE ON FUNCTION mining_assignment_due(date) TO %I, %I', guanxi_role('app'), guanxi_role('ops'));
END
$$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION mining_assignment_due(date);
DROP TABLE mining_assignment, mining_rule;
