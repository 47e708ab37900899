-- +goose Up

-- A customer is one row for life. root_id and aliases tell who is whom after merges: an absorbed customer has the root_id
-- of the one who stands for it, and that one lists in aliases all ids that mean it now. Everything else that hangs on
-- a customer keeps the id that it was written with, and is read by the root's id and its aliases together.
ALTER TABLE customer
    ADD COLUMN state              text        NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'archived', 'absorbed', 'erased')),
    ADD COLUMN root_id            uuid,
    ADD COLUMN aliases            uuid[]      NOT NULL DEFAULT '{}',
    ADD COLUMN tags               text[]      NOT NULL DEFAULT '{}', -- sorted
    ADD COLUMN owner              text        NOT NULL DEFAULT '',   -- subject of the user who looks after the customer
    ADD COLUMN custom             jsonb       NOT NULL DEFAULT '{}', -- values of the tenant's custom fields, by name
    ADD COLUMN stage              text        NOT NULL DEFAULT 'awareness'
        CHECK (stage IN ('awareness', 'exploration', 'familiarity', 'loyalty', 'separation')),
    ADD COLUMN stage_since        timestamptz,                       -- none: since the registration
    ADD COLUMN stage_manual_until timestamptz,                       -- until when nothing but a person changes the stage
    ADD CONSTRAINT customer_absorbed CHECK ((state = 'absorbed') = (root_id IS NOT NULL));
ALTER TABLE customer ADD FOREIGN KEY (tenant_id, root_id) REFERENCES customer (tenant_id, id);
CREATE INDEX customer_archived ON customer (tenant_id, id) WHERE state = 'archived'; -- few among many, listed in their order

-- An identity is the customer's from valid_from to valid_to: operators give numbers to new people. It is kept when it
-- has ended, so that it is known whose it was.
ALTER TABLE customer_identity
    ADD COLUMN valid_from timestamptz, -- none: since it was added
    ADD COLUMN valid_to   timestamptz, -- none: still
    DROP CONSTRAINT customer_identity_type_check,
    ADD CONSTRAINT customer_identity_type_check
        CHECK (type IN ('phone', 'email', 'card', 'login', 'web_device', 'wechat_union', 'wechat', 'wecom') OR type LIKE 'external:_%');
DROP INDEX customer_identity_exclusive;
ALTER TABLE customer_identity DROP COLUMN exclusive;
ALTER TABLE customer_identity ADD COLUMN exclusive boolean NOT NULL GENERATED ALWAYS AS (type NOT IN ('phone', 'email', 'web_device')) STORED;
CREATE UNIQUE INDEX customer_identity_exclusive ON customer_identity (tenant_id, type, value) WHERE exclusive AND valid_to IS NULL;

CREATE TABLE customer_address (
    tenant_id   text        NOT NULL,
    id          uuid        NOT NULL,
    customer_id uuid        NOT NULL,
    kind        text        NOT NULL CHECK (kind IN ('home', 'work', 'billing', 'delivery', 'other')),
    lines       text[]      NOT NULL, -- street, house, flat, from the widest to the narrowest or as people write them
    city        text        NOT NULL,
    region      text        NOT NULL, -- province or state
    postal_code text        NOT NULL,
    country     text        NOT NULL CHECK (country ~ '^[A-Z]{2}$'),
    added_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, customer_id, id),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id)
);
SELECT guanxi_tenant_table('customer_address');

-- What each tenant keeps of its customers besides, with the class that decides who may see it.
CREATE TABLE custom_field (
    tenant_id  text        NOT NULL,
    name       text        NOT NULL CHECK (name ~ '^[a-z][a-z0-9_]{0,62}$'),
    title      text        NOT NULL,
    type       text        NOT NULL CHECK (type IN ('text', 'integer', 'number', 'boolean', 'date', 'choice', 'choices')),
    choices    text[]      NOT NULL DEFAULT '{}',
    class      text        NOT NULL CHECK (class IN ('identity', 'contact', 'behaviour', 'financial', 'health', 'special')),
    archived   boolean     NOT NULL DEFAULT false,
    used       boolean     NOT NULL DEFAULT false, -- a customer has, or had, a value: the type is fixed from then on
    version    bigint      NOT NULL,
    created_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, name)
);
SELECT guanxi_tenant_table('custom_field');

-- How many orders bear a customer's id, for the stage that follows from them.
CREATE TABLE customer_purchase (
    tenant_id   text   NOT NULL,
    customer_id uuid   NOT NULL, -- as the order has it; it may be of nobody
    orders      bigint NOT NULL CHECK (orders > 0),
    PRIMARY KEY (tenant_id, customer_id)
);
SELECT guanxi_tenant_table('customer_purchase');

CREATE TABLE customer_stage (
    tenant_id    text        NOT NULL,
    customer_id  uuid        NOT NULL,
    since        timestamptz NOT NULL,
    stage        text        NOT NULL,
    reason       text        NOT NULL, -- code
    by           text        NOT NULL, -- subject of whoever said so, or the part of the program
    manual_until timestamptz,
    PRIMARY KEY (tenant_id, customer_id, since),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id)
);
SELECT guanxi_tenant_table('customer_stage');

-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE ON customer_stage FROM %I', guanxi_role('app'));
    EXECUTE format('REVOKE DELETE ON customer FROM %I', guanxi_role('app'));
END
$$;
-- +goose StatementEnd
