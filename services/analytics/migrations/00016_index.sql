-- +goose Up
-- Index systems: trees of codes with weights. A change is a new version; what is out of use is in the archive, and never deleted.
CREATE TABLE index_system (
	tenant_id  text NOT NULL,
	code       text NOT NULL,
	version    bigint NOT NULL, -- the present one
	archived   boolean NOT NULL DEFAULT false,
	PRIMARY KEY (tenant_id, code)
);
SELECT guanxi_tenant_table('index_system');

CREATE TABLE index_version (
	tenant_id  text NOT NULL,
	code       text NOT NULL,
	version    bigint NOT NULL,
	content    jsonb NOT NULL,
	archived   boolean NOT NULL,
	by_subject text NOT NULL,
	changed_at timestamptz NOT NULL,
	PRIMARY KEY (tenant_id, code, version)
);
SELECT guanxi_tenant_table('index_version');

-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE ON index_version FROM %I', guanxi_role('app'));
    EXECUTE format('REVOKE DELETE ON index_system FROM %I', guanxi_role('app'));
END
$$;
-- +goose StatementEnd

-- +goose Down
DROP TABLE index_version, index_system;
