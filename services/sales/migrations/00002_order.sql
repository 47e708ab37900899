-- +goose Up

CREATE TABLE sales_order (
    tenant_id            text        NOT NULL,
    id                   uuid        NOT NULL,
    external_system      text,       -- the selling system's name for the order; none for orders entered here
    external_id          text,
    fingerprint          bytea       NOT NULL, -- of the content as it came in: tells a repetition from another order
    customer_id          uuid,       -- none while unresolved
    customer_system      text,       -- how the order names its customer, where it does so by another system's id
    customer_external_id text,
    channel              text        NOT NULL,
    currency             text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    units                bigint      NOT NULL CHECK (units > 0),
    total_minor          bigint      NOT NULL CHECK (total_minor >= 0),
    returned_units       bigint      NOT NULL DEFAULT 0 CHECK (returned_units BETWEEN 0 AND units),
    returned_minor       bigint      NOT NULL DEFAULT 0 CHECK (returned_minor BETWEEN 0 AND total_minor),
    placed_at            timestamptz NOT NULL,
    recorded_at          timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CHECK ((external_system IS NULL) = (external_id IS NULL)),
    CHECK ((customer_system IS NULL) = (customer_external_id IS NULL)),
    CHECK (customer_id IS NOT NULL OR customer_system IS NOT NULL)
);
CREATE UNIQUE INDEX sales_order_external ON sales_order (tenant_id, external_system, external_id);
CREATE INDEX sales_order_placed ON sales_order (tenant_id, placed_at, id);
CREATE INDEX sales_order_customer ON sales_order (tenant_id, customer_id, placed_at, id);
CREATE INDEX sales_order_unresolved ON sales_order (tenant_id, customer_system, customer_external_id) WHERE customer_id IS NULL;
SELECT guanxi_tenant_table('sales_order');

CREATE TABLE order_line (
    tenant_id         text    NOT NULL,
    order_id          uuid    NOT NULL,
    line_no           integer NOT NULL CHECK (line_no > 0),
    sku               text    NOT NULL, -- empty where the selling system tells totals only
    quantity          bigint  NOT NULL CHECK (quantity > 0),
    amount_minor      bigint  NOT NULL CHECK (amount_minor >= 0),
    returned_quantity bigint  NOT NULL DEFAULT 0 CHECK (returned_quantity BETWEEN 0 AND quantity),
    returned_minor    bigint  NOT NULL DEFAULT 0 CHECK (returned_minor BETWEEN 0 AND amount_minor),
    PRIMARY KEY (tenant_id, order_id, line_no),
    FOREIGN KEY (tenant_id, order_id) REFERENCES sales_order (tenant_id, id)
);
SELECT guanxi_tenant_table('order_line');

CREATE TABLE order_return (
    tenant_id    text        NOT NULL,
    id           uuid        NOT NULL,
    order_id     uuid        NOT NULL,
    units        bigint      NOT NULL CHECK (units > 0),
    amount_minor bigint      NOT NULL CHECK (amount_minor >= 0),
    returned_at  timestamptz NOT NULL,
    recorded_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, order_id) REFERENCES sales_order (tenant_id, id)
);
CREATE INDEX order_return_order ON order_return (tenant_id, order_id);
SELECT guanxi_tenant_table('order_return');

CREATE TABLE order_return_line (
    tenant_id    text    NOT NULL,
    return_id    uuid    NOT NULL,
    line_no      integer NOT NULL, -- of the order
    quantity     bigint  NOT NULL CHECK (quantity > 0),
    amount_minor bigint  NOT NULL CHECK (amount_minor >= 0),
    PRIMARY KEY (tenant_id, return_id, line_no),
    FOREIGN KEY (tenant_id, return_id) REFERENCES order_return (tenant_id, id)
);
SELECT guanxi_tenant_table('order_return_line');
