-- +goose Up

-- A tenant is an organisation that uses the platform. It is the first row of its own data: its tenant_id is itself.
CREATE TABLE tenant (
    tenant_id    text        NOT NULL PRIMARY KEY CHECK (tenant_id ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    id           uuid        NOT NULL, -- names its stream of events
    version      bigint      NOT NULL,
    display_name text        NOT NULL,
    region       text        NOT NULL CHECK (region ~ '^[A-Z]{2}$'),
    language     text        NOT NULL,
    time_zone    text        NOT NULL,
    currency     text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    state        text        NOT NULL CHECK (state IN ('active', 'suspended')),
    created_at   timestamptz NOT NULL,
    changed_at   timestamptz NOT NULL
);
SELECT guanxi_tenant_table('tenant');
