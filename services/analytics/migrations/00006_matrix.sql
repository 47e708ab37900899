-- +goose Up
-- What counts as satisfied, as a favourable attitude, and whom repeat purchases are compared with. A change is a new version; what
-- nobody set has none.
CREATE TABLE matrix_settings (
	tenant_id  text NOT NULL,
	version    bigint NOT NULL,
	content    jsonb NOT NULL,
	by_subject text NOT NULL,
	changed_at timestamptz NOT NULL,
	PRIMARY KEY (tenant_id, version)
);
SELECT guanxi_tenant_table('matrix_settings');

-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE ON matrix_settings FROM %I', guanxi_role('app'));
END
$$;
-- +goose StatementEnd

-- +goose Down
DROP TABLE matrix_settings;
