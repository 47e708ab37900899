-- +goose Up
-- Metrics that tenants define as formulas of others; the built-in ones are the program's.
CREATE TABLE metric (
	tenant_id  text NOT NULL,
	code       text NOT NULL,
	name       text NOT NULL,
	definition text NOT NULL,
	formula    text NOT NULL,
	unit       text NOT NULL,
	owner      text NOT NULL,
	version    bigint NOT NULL,
	archived   boolean NOT NULL,
	changed_at timestamptz NOT NULL,
	PRIMARY KEY (tenant_id, code)
);
SELECT guanxi_tenant_table('metric');

-- What they were: a number in an old report means what its metric meant then.
CREATE TABLE metric_version (
	tenant_id  text NOT NULL,
	code       text NOT NULL,
	version    bigint NOT NULL,
	name       text NOT NULL,
	definition text NOT NULL,
	formula    text NOT NULL,
	unit       text NOT NULL,
	owner      text NOT NULL,
	archived   boolean NOT NULL,
	by_subject text NOT NULL,
	at         timestamptz NOT NULL,
	PRIMARY KEY (tenant_id, code, version)
);
SELECT guanxi_tenant_table('metric_version');

-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE ON metric_version FROM %I', guanxi_role('app'));
    EXECUTE format('REVOKE DELETE ON metric FROM %I', guanxi_role('app'));
END
$$;
-- +goose StatementEnd

-- +goose Down
DROP TABLE metric_version, metric;
