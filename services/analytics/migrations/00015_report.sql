-- +goose Up
CREATE TABLE report (
	tenant_id  text NOT NULL,
	code       text NOT NULL,
	content    jsonb NOT NULL, -- title, sections, schedule
	version    bigint NOT NULL,
	next_at    timestamptz, -- when it is due next; null without a schedule, and in the archive
	archived   boolean NOT NULL DEFAULT false,
	changed_at timestamptz NOT NULL,
	PRIMARY KEY (tenant_id, code)
);
SELECT guanxi_tenant_table('report');
CREATE INDEX report_by_next ON report (next_at) WHERE next_at IS NOT NULL;

-- What they were: a run says of which version it is.
CREATE TABLE report_version (
	tenant_id  text NOT NULL,
	code       text NOT NULL,
	version    bigint NOT NULL,
	content    jsonb NOT NULL,
	archived   boolean NOT NULL,
	by_subject text NOT NULL,
	at         timestamptz NOT NULL,
	PRIMARY KEY (tenant_id, code, version)
);
SELECT guanxi_tenant_table('report_version');

-- A run keeps the numbers as they were. There is one for each time that a report was due, and one for each that somebody asked for.
CREATE TABLE report_run (
	tenant_id text NOT NULL,
	id        uuid NOT NULL,
	code      text NOT NULL,
	due_at    timestamptz, -- null where somebody asked for it
	version   bigint NOT NULL, -- of the report
	ran_at    timestamptz NOT NULL,
	result    jsonb NOT NULL,
	PRIMARY KEY (tenant_id, id),
	CONSTRAINT report_run_once UNIQUE (tenant_id, code, due_at)
);
SELECT guanxi_tenant_table('report_run');

-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('REVOKE DELETE ON report FROM %I', guanxi_role('app'));
    EXECUTE format('REVOKE UPDATE, DELETE ON report_run, report_version FROM %I', guanxi_role('app'));
END
$$;

CREATE FUNCTION report_due(at timestamptz, most integer) RETURNS TABLE (tenant_id text, code text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS
$$ SELECT tenant_id, code FROM report WHERE next_at <= at ORDER BY next_at LIMIT most $$;
-- +goose StatementEnd
-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE 'REVOKE EXECUTE ON FUNCTION report_due(timestamptz, integer) FROM PUBLIC';
    EXECUTE format('GRANT EXECUTE ON FUNCTION report_due(timestamptz, integer) TO %I', guanxi_role('ops'));
END
$$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION report_due(timestamptz, integer);
DROP TABLE report_run, report_version, report;
