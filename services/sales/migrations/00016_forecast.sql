-- +goose Up

-- In which zone the days, weeks and months of a tenant's forecasts begin. A tenant without a row has UTC.
CREATE TABLE forecast_setting (
    tenant_id  text        NOT NULL,
    zone       text        NOT NULL, -- IANA name
    version    bigint      NOT NULL CHECK (version > 0),
    by_subject text        NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id)
);
SELECT guanxi_tenant_table('forecast_setting');

-- What was expected at one moment. Neither this nor its lines are ever changed.
CREATE TABLE forecast_snapshot (
    tenant_id     text        NOT NULL,
    id            uuid        NOT NULL,
    week          text        CHECK (week ~ '^[0-9]{4}-W[0-9]{2}$'), -- that it stands for; none: somebody asked for it besides
    zone          text        NOT NULL, -- whose months its lines have
    opportunities bigint      NOT NULL,
    by_subject    text        NOT NULL,
    taken_at      timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX forecast_snapshot_week ON forecast_snapshot (tenant_id, week);
SELECT guanxi_tenant_table('forecast_snapshot');

CREATE TABLE forecast_snapshot_line (
    tenant_id      text    NOT NULL,
    snapshot_id    uuid    NOT NULL,
    opportunity_id uuid    NOT NULL,
    pipeline       text    NOT NULL,
    stage          text    NOT NULL,
    team           text    NOT NULL, -- empty: none
    owner          text    NOT NULL, -- subject; empty: nobody
    month          text    NOT NULL, -- YYYY-MM; empty: nobody said
    category       text    NOT NULL CHECK (category IN ('pipeline', 'best_case', 'commit', 'closed')),
    probability    integer NOT NULL CHECK (probability BETWEEN 0 AND 100),
    currency       text    NOT NULL,
    amount_minor   bigint  NOT NULL CHECK (amount_minor >= 0),
    weighted_minor bigint  NOT NULL CHECK (weighted_minor BETWEEN 0 AND amount_minor),
    PRIMARY KEY (tenant_id, snapshot_id, opportunity_id),
    FOREIGN KEY (tenant_id, snapshot_id) REFERENCES forecast_snapshot (tenant_id, id)
);
SELECT guanxi_tenant_table('forecast_snapshot_line');

CREATE TABLE forecast_target (
    tenant_id    text        NOT NULL,
    id           uuid        NOT NULL,
    kind         text        NOT NULL CHECK (kind IN ('team', 'owner')),
    who          text        NOT NULL CHECK (who <> ''), -- code of the team, or the owner's subject
    period       text        NOT NULL CHECK (period ~ '^[0-9]{4}-([0-9]{2}|Q[1-4])$'),
    currency     text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    amount_minor bigint      NOT NULL CHECK (amount_minor > 0),
    version      bigint      NOT NULL CHECK (version > 0),
    by_subject   text        NOT NULL,
    changed_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT forecast_target_once UNIQUE (tenant_id, kind, who, period, currency)
);
SELECT guanxi_tenant_table('forecast_target');

-- +goose StatementBegin
-- forecast_tenants lists the tenants after p_after that have something to forecast.
CREATE FUNCTION forecast_tenants(p_after text, p_limit integer) RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH RECURSIVE t AS (
        (SELECT o.tenant_id FROM opportunity o WHERE o.tenant_id > p_after ORDER BY o.tenant_id LIMIT 1)
        UNION ALL
        SELECT (SELECT o.tenant_id FROM opportunity o WHERE o.tenant_id > t.tenant_id ORDER BY o.tenant_id LIMIT 1) FROM t WHERE t.tenant_id IS NOT NULL
    )
    SELECT tenant_id FROM t WHERE tenant_id IS NOT NULL LIMIT p_limit
$$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE ON forecast_snapshot, forecast_snapshot_line FROM %I', guanxi_role('app'));
    EXECUTE 'REVOKE EXECUTE ON FUNCTION forecast_tenants(text, integer) FROM PUBLIC';
    EXECUTE format('GRANT EXECUTE ON FUNCTION forecast_tenants(text, integer) TO %I', guanxi_role('app'));
END
$$;
-- +goose StatementEnd
