-- +goose Up

-- Programmes of a tenant. Everybody has the programme "standard" without a row here, by the terms of the code, until somebody
-- writes a version of it.
CREATE TABLE programme (
    tenant_id  text        NOT NULL,
    code       text        NOT NULL,
    name       text        NOT NULL,
    zone       text        NOT NULL, -- IANA, such as Asia/Shanghai: whose days points and tiers end with
    by_subject text        NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, code)
);
SELECT guanxi_tenant_table('programme');

-- The terms by which a programme works from a time on. What was in force is never changed; one that is not in force yet can be
-- taken back.
CREATE TABLE programme_version (
    tenant_id      text        NOT NULL,
    programme      text        NOT NULL,
    no             integer     NOT NULL CHECK (no > 0),
    id             uuid        NOT NULL, -- by which whoever sends a request again finds what it wrote
    effective_from timestamptz NOT NULL,
    terms          jsonb       NOT NULL,
    by_subject     text        NOT NULL,
    created_at     timestamptz NOT NULL,
    withdrawn_at   timestamptz, -- before it was in force
    PRIMARY KEY (tenant_id, programme, no),
    CONSTRAINT programme_version_id UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, programme) REFERENCES programme (tenant_id, code)
);
SELECT guanxi_tenant_table('programme_version');

-- A member is one of a programme; a customer may be a member of several.
ALTER TABLE member
    ADD COLUMN programme    text NOT NULL DEFAULT 'standard',
    ADD COLUMN state        text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'suspended', 'left')),
    ADD COLUMN state_reason text NOT NULL DEFAULT '', -- code
    ADD COLUMN state_at     timestamptz;              -- none for one who was always active
ALTER TABLE member DROP CONSTRAINT member_customer;
ALTER TABLE member ADD CONSTRAINT member_customer UNIQUE (tenant_id, customer_id, programme);

-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('REVOKE DELETE ON programme, programme_version FROM %I', guanxi_role('app'));
END
$$;
-- +goose StatementEnd
