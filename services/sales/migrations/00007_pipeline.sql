-- +goose Up

-- A way of selling: its stages stand in one value, in order, since they are written and read together. A tenant has the
-- standard pipeline without a row.
CREATE TABLE pipeline (
    tenant_id  text        NOT NULL,
    code       text        NOT NULL,
    version    bigint      NOT NULL CHECK (version > 0),
    name       text        NOT NULL,
    currency   text        NOT NULL, -- of opportunities that name none; empty: they have to
    stages     jsonb       NOT NULL,
    follow_up  jsonb       NOT NULL,
    archived   boolean     NOT NULL,
    changed_at timestamptz NOT NULL,
    changed_by text        NOT NULL,
    PRIMARY KEY (tenant_id, code)
);
SELECT guanxi_tenant_table('pipeline');

-- Why leads and opportunities are lost. A row of a standard reason's code takes its place.
CREATE TABLE loss_reason (
    tenant_id     text        NOT NULL,
    code          text        NOT NULL,
    version       bigint      NOT NULL CHECK (version > 0),
    name          text        NOT NULL,
    leads         boolean     NOT NULL,
    opportunities boolean     NOT NULL,
    archived      boolean     NOT NULL,
    changed_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, code)
);
SELECT guanxi_tenant_table('loss_reason');

CREATE TABLE competitor (
    tenant_id  text        NOT NULL,
    code       text        NOT NULL,
    version    bigint      NOT NULL CHECK (version > 0),
    name       text        NOT NULL,
    archived   boolean     NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, code)
);
SELECT guanxi_tenant_table('competitor');
