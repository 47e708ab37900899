-- +goose Up
-- What is asked of orders of a time reads them by their time, and mostly without looking at the rows themselves.
CREATE INDEX fact_order_by_time ON fact_order (tenant_id, placed_at) INCLUDE (customer_id, order_id, units, channel, currency);

-- When each product was sold for the first time, in an order that may have come back since: finding it in orders would read all there are.
-- A service of the version before does not write it; a rebuild puts that right.
CREATE TABLE fact_product (
	tenant_id text NOT NULL,
	sku       text NOT NULL,
	first_at  timestamptz NOT NULL,
	PRIMARY KEY (tenant_id, sku)
);
SELECT guanxi_tenant_table('fact_product');
INSERT INTO fact_product (tenant_id, sku, first_at)
	SELECT o.tenant_id, l.sku, min(o.placed_at) FROM fact_order o CROSS JOIN LATERAL unnest(o.skus) AS l(sku) WHERE l.sku <> '' GROUP BY 1, 2;

-- +goose Down
DROP TABLE fact_product;
DROP INDEX fact_order_by_time;
