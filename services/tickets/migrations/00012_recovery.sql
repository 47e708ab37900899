-- +goose Up

-- Complaints as their events tell: what recovery is measured by. A complaint that is open again has no end.
CREATE TABLE recovery_case (
    tenant_id     text        NOT NULL,
    complaint_id  uuid        NOT NULL,
    customer_id   uuid        NOT NULL, -- as it was written; read through aliases
    registered_at timestamptz,          -- none where only the end was heard of
    closed_at     timestamptz,
    outcome       text        NOT NULL, -- of the last end
    cost_minor    bigint      NOT NULL CHECK (cost_minor >= 0),
    currency      text        NOT NULL, -- empty where it cost nothing
    PRIMARY KEY (tenant_id, complaint_id)
) WITH (fillfactor = 80);
CREATE INDEX recovery_case_by_end ON recovery_case (tenant_id, closed_at);
CREATE INDEX recovery_case_by_customer ON recovery_case (tenant_id, customer_id);
SELECT guanxi_tenant_table('recovery_case');
