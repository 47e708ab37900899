-- +goose Up

-- What an order came of: a quote makes one order at most.
ALTER TABLE sales_order ADD COLUMN quote_id uuid, ADD COLUMN opportunity_id uuid;
CREATE UNIQUE INDEX sales_order_quote ON sales_order (tenant_id, quote_id) WHERE quote_id IS NOT NULL;
CREATE INDEX sales_order_opportunity ON sales_order (tenant_id, opportunity_id) WHERE opportunity_id IS NOT NULL;

-- Lines are written right after their order, in one transaction, and neither is ever taken away: looking the order of each line up
-- again finds nothing, and an import of a million orders did it a million times.
ALTER TABLE order_line DROP CONSTRAINT order_line_tenant_id_order_id_fkey;
