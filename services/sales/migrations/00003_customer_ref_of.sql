-- +goose Up

-- The names of a customer, which an erasure forgets.
CREATE INDEX customer_ref_customer ON customer_ref (tenant_id, customer_id) WHERE customer_id IS NOT NULL;
