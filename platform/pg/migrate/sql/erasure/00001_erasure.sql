-- Customers who were erased here, for good. Their ids are all that is kept of them.

-- +goose Up
CREATE TABLE erased_customer (
    tenant_id   text        NOT NULL,
    customer_id uuid        NOT NULL,
    erasure_id  uuid        NOT NULL, -- the first one
    erased_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, customer_id)
);
SELECT guanxi_tenant_table('erased_customer');
