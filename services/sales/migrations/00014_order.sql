-- +goose Up

-- What an order came of: a quote makes one order at most.
ALTER TABLE sales_order ADD COLUMN quote_id uuid, ADD COLUMN opportunity_id uuid;
CREATE UNIQUE INDEX sales_order_quote ON sales_order (tenant_id, quote_id) WHERE quote_id IS NOT NULL;
CREATE INDEX sales_order_opportunity ON sales_order (tenant_id, opportunity_id) WHERE opportunity_id IS NOT NULL;
