-- +goose Up

-- Orders, as far as points are concerned.
CREATE TABLE earning_order (
    tenant_id      text        NOT NULL,
    order_id       uuid        NOT NULL,
    customer_id    uuid,       -- none until the order's customer is known
    currency       text        NOT NULL,
    total_minor    bigint      NOT NULL CHECK (total_minor >= 0),
    returned_minor bigint      NOT NULL DEFAULT 0 CHECK (returned_minor BETWEEN 0 AND total_minor),
    placed_at      timestamptz NOT NULL,
    points         bigint      NOT NULL CHECK (points >= 0), -- that the order is worth
    taken_back     bigint      NOT NULL DEFAULT 0 CHECK (taken_back BETWEEN 0 AND points),
    entry_id       uuid,       -- by which they were earned; none while the customer is not known, or for no points
    returns        uuid[]      NOT NULL DEFAULT '{}', -- that were counted, so that none counts twice
    PRIMARY KEY (tenant_id, order_id)
);
SELECT guanxi_tenant_table('earning_order');
