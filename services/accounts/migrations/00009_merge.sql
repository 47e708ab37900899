-- +goose Up

-- Which customers were merged. before and after hold the fields of the survivor around the merge, so that an undo can tell
-- what the merge did from what was changed since; they are emptied once they are no longer needed.
CREATE TABLE customer_merge (
    tenant_id   text        NOT NULL,
    id          uuid        NOT NULL,
    survivor_id uuid        NOT NULL,
    absorbed_id uuid        NOT NULL,
    reason      text        NOT NULL, -- code
    before      jsonb       NOT NULL,
    after       jsonb       NOT NULL,
    merged_at   timestamptz NOT NULL,
    merged_by   text        NOT NULL, -- subject of the token
    undone_at   timestamptz,
    undone_by   text,
    PRIMARY KEY (tenant_id, id),
    CHECK (survivor_id <> absorbed_id),
    CHECK ((undone_at IS NULL) = (undone_by IS NULL)),
    FOREIGN KEY (tenant_id, survivor_id) REFERENCES customer (tenant_id, id),
    FOREIGN KEY (tenant_id, absorbed_id) REFERENCES customer (tenant_id, id)
);
CREATE INDEX customer_merge_survivor ON customer_merge (tenant_id, survivor_id, merged_at);
CREATE UNIQUE INDEX customer_merge_absorbed ON customer_merge (tenant_id, absorbed_id) WHERE undone_at IS NULL;
SELECT guanxi_tenant_table('customer_merge');

-- Why a customer must not be erased for the time being.
CREATE TABLE legal_hold (
    tenant_id   text        NOT NULL,
    id          uuid        NOT NULL,
    customer_id uuid        NOT NULL,
    code        text        NOT NULL,
    reference   text        NOT NULL, -- of the case, as the tenant's lawyers number it
    until       timestamptz,          -- none: until it is lifted
    placed_at   timestamptz NOT NULL,
    placed_by   text        NOT NULL,
    lifted_at   timestamptz,
    lifted_by   text,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id)
);
CREATE INDEX legal_hold_customer ON legal_hold (tenant_id, customer_id) WHERE lifted_at IS NULL;
SELECT guanxi_tenant_table('legal_hold');

-- Requests to erase a customer.
CREATE TABLE erasure (
    tenant_id    text        NOT NULL,
    id           uuid        NOT NULL,
    version      bigint      NOT NULL,
    customer_id  uuid        NOT NULL, -- the root when it was asked for
    customer_ids uuid[]      NOT NULL, -- all ids of the person
    state        text        NOT NULL CHECK (state IN ('requested', 'held', 'erasing', 'erased', 'cancelled')),
    reason       text        NOT NULL, -- code
    holds        jsonb       NOT NULL DEFAULT '[]', -- what kept it waiting when it was last looked: codes and ids
    requested_at timestamptz NOT NULL,
    requested_by text        NOT NULL,
    changed_at   timestamptz NOT NULL,
    erased_at    timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id)
);
CREATE UNIQUE INDEX erasure_open ON erasure (tenant_id, customer_id) WHERE state IN ('requested', 'held', 'erasing');
SELECT guanxi_tenant_table('erasure');

-- What each service says that it did, in the order of the rounds.
CREATE TABLE erasure_report (
    tenant_id   text        NOT NULL,
    erasure_id  uuid        NOT NULL,
    service     text        NOT NULL,
    round       smallint    NOT NULL,
    erased      jsonb       NOT NULL, -- what, count, left
    reported_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, erasure_id, service, round)
);
SELECT guanxi_tenant_table('erasure_report');

-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE ON erasure_report FROM %I', guanxi_role('app'));
    EXECUTE format('REVOKE DELETE ON customer_merge, legal_hold, erasure FROM %I', guanxi_role('app'));
END
$$;
-- +goose StatementEnd
