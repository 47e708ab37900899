-- +goose Up
-- Portraits are reckoned by customers' keys, in the order of an index that says so, whatever statistics say.
DROP INDEX fact_member_by_customer, fact_membership_by_customer;
CREATE INDEX fact_member_by_customer ON fact_member (tenant_id, customer_id, enrolled_at);
CREATE INDEX fact_membership_by_customer ON fact_membership (tenant_id, customer_id, started_at);

-- +goose Down
DROP INDEX fact_member_by_customer, fact_membership_by_customer;
CREATE INDEX fact_member_by_customer ON fact_member (tenant_id, customer_id);
CREATE INDEX fact_membership_by_customer ON fact_membership (tenant_id, customer_id);
