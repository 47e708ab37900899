-- +goose Up

-- Whom other systems mean by their ids, as accounts tells. A name that an order used before accounts told of it stands
-- here without a customer: its row is where the order and the news of the customer meet.
CREATE TABLE customer_ref (
    tenant_id   text NOT NULL,
    system      text NOT NULL,
    external_id text NOT NULL,
    customer_id uuid,
    PRIMARY KEY (tenant_id, system, external_id)
);
SELECT guanxi_tenant_table('customer_ref');
