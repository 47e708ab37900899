-- +goose Up
-- What stands for the parts of relationship strength and of the loyalty index. A change is a new version; what nobody set has none.
CREATE TABLE strength_settings (
	tenant_id  text NOT NULL,
	version    bigint NOT NULL,
	content    jsonb NOT NULL,
	by_subject text NOT NULL,
	changed_at timestamptz NOT NULL,
	PRIMARY KEY (tenant_id, version)
);
SELECT guanxi_tenant_table('strength_settings');

-- How far a run is that gives portraits both.
CREATE TABLE strength_run (
	tenant_id        text NOT NULL,
	run_id           uuid NOT NULL,
	settings_version bigint NOT NULL, -- 0: the house's own
	after_customer   uuid, -- the last customer who is done
	customers        bigint NOT NULL DEFAULT 0,
	with_strength    bigint NOT NULL DEFAULT 0,
	with_loyalty     bigint NOT NULL DEFAULT 0,
	changed          bigint NOT NULL DEFAULT 0, -- portraits that were
	facts_as_of      timestamptz,
	PRIMARY KEY (tenant_id, run_id)
);
SELECT guanxi_tenant_table('strength_run');

-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE ON strength_settings FROM %I', guanxi_role('app'));
END
$$;
-- +goose StatementEnd

-- +goose Down
DROP TABLE strength_run, strength_settings;
