-- +goose Up

CREATE TABLE customer (
    tenant_id     text        NOT NULL,
    id            uuid        NOT NULL, -- UUIDv7, so the key's order is the order of registration
    version       bigint      NOT NULL,
    kind          text        NOT NULL CHECK (kind IN ('person', 'organisation')),
    display_name  text        NOT NULL, -- empty where a customer came by an id of another system only
    given_name    text        NOT NULL,
    family_name   text        NOT NULL,
    legal_name    text        NOT NULL,
    source        text        NOT NULL,
    registered_at timestamptz NOT NULL,
    changed_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
SELECT guanxi_tenant_table('customer');

-- Values stand here in their one form only: the form that a lookup is brought to as well.
CREATE TABLE customer_identity (
    tenant_id   text        NOT NULL,
    type        text        NOT NULL CHECK (type IN ('phone', 'email', 'card') OR type LIKE 'external:_%'),
    value       text        NOT NULL CHECK (value <> ''),
    customer_id uuid        NOT NULL,
    exclusive   boolean     NOT NULL GENERATED ALWAYS AS (type NOT IN ('phone', 'email')) STORED,
    added_at    timestamptz NOT NULL,
    verified_at timestamptz,
    PRIMARY KEY (tenant_id, type, value, customer_id),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id)
);
CREATE UNIQUE INDEX customer_identity_exclusive ON customer_identity (tenant_id, type, value) WHERE exclusive;
CREATE INDEX customer_identity_customer ON customer_identity (tenant_id, customer_id);
SELECT guanxi_tenant_table('customer_identity');
