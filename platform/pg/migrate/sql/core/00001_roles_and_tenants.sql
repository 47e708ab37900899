-- Functions with which every migration, the platform's and a service's, hands its tables to the roles.

-- +goose Up
-- +goose StatementBegin
-- guanxi_role gives the full name of a role of this database: guanxi_role('app') is accounts_app in accounts' database.
-- It goes by the database's owner, so it holds whoever calls it and whatever the database is called.
CREATE FUNCTION guanxi_role(role text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT regexp_replace(pg_get_userbyid(datdba)::text, '_owner$', '') || '_' || role
      FROM pg_database WHERE datname = current_database()
$$;
-- +goose StatementEnd

-- +goose StatementBegin
-- guanxi_tenant_table binds the app role to the rows of the tenant that is set in its transaction. Without a tenant it
-- sees no row. ops reads all rows. The owner is not bound (FORCE would make migrations change nothing, silently).
-- The comparison stands in the policy as it is, so that it becomes an index condition.
CREATE FUNCTION guanxi_tenant_table(t regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = t AND attname = 'tenant_id' AND attnotnull) THEN
        RAISE EXCEPTION 'table % has no column tenant_id NOT NULL', t;
    END IF;
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('DROP POLICY IF EXISTS guanxi_tenant ON %s', t);
    EXECUTE format('DROP POLICY IF EXISTS guanxi_ops ON %s', t);
    EXECUTE format($p$CREATE POLICY guanxi_tenant ON %s TO %I
        USING (tenant_id = current_setting('app.tenant_id', true))
        WITH CHECK (tenant_id = (SELECT current_setting('app.tenant_id', true)))$p$, t, guanxi_role('app'));
    EXECUTE format('CREATE POLICY guanxi_ops ON %s FOR SELECT TO %I USING (true)', t, guanxi_role('ops'));
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %I', t, guanxi_role('app'));
    EXECUTE format('GRANT SELECT ON %s TO %I', t, guanxi_role('ops'));
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
-- guanxi_plain_table is for tables that belong to no tenant, such as positions of consumers: app writes, ops reads.
CREATE FUNCTION guanxi_plain_table(t regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %I', t, guanxi_role('app'));
    EXECUTE format('GRANT SELECT ON %s TO %I', t, guanxi_role('ops'));
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
-- guanxi_ops_table lets ops write a tenant's table too, over all tenants: what operators release, discard or prune.
CREATE FUNCTION guanxi_ops_table(t regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT relrowsecurity FROM pg_class WHERE oid = t) THEN
        EXECUTE format('DROP POLICY IF EXISTS guanxi_ops ON %s', t);
        EXECUTE format('CREATE POLICY guanxi_ops ON %s TO %I USING (true) WITH CHECK (true)', t, guanxi_role('ops'));
    END IF;
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %I', t, guanxi_role('ops'));
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
-- guanxi_swap_projection makes the shadow schema the live one and the other way round. It waits for whoever still works
-- on a table of either; whoever comes later finds the new live tables.
CREATE FUNCTION guanxi_swap_projection() RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '10s' AS $$
DECLARE
    t record;
BEGIN
    FOR t IN SELECT schemaname, tablename FROM pg_tables
              WHERE schemaname IN ('live', 'shadow') ORDER BY schemaname, tablename
    LOOP
        EXECUTE format('LOCK TABLE %I.%I IN ACCESS EXCLUSIVE MODE', t.schemaname, t.tablename);
    END LOOP;
    ALTER SCHEMA live RENAME TO guanxi_swapping;
    ALTER SCHEMA shadow RENAME TO live;
    ALTER SCHEMA guanxi_swapping RENAME TO shadow;
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
-- guanxi_clear_shadow empties every table of the shadow schema but the record of its migrations.
CREATE FUNCTION guanxi_clear_shadow() RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '10s' AS $$
DECLARE
    tables text;
BEGIN
    SELECT string_agg(format('%I.%I', schemaname, tablename), ', ') INTO tables FROM pg_tables
     WHERE schemaname = 'shadow' AND tablename NOT LIKE 'goose%';
    IF tables IS NOT NULL THEN
        EXECUTE 'TRUNCATE ' || tables || ' RESTART IDENTITY';
    END IF;
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE 'REVOKE EXECUTE ON FUNCTION guanxi_swap_projection(), guanxi_clear_shadow() FROM PUBLIC';
    EXECUTE format('GRANT EXECUTE ON FUNCTION guanxi_swap_projection(), guanxi_clear_shadow() TO %I, %I',
                   guanxi_role('app'), guanxi_role('ops'));
END
$$;
-- +goose StatementEnd
