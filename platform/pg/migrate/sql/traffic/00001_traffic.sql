-- How many requests of a tenant the service answered, and how many of them with a fault of the platform.

-- +goose Up
CREATE TABLE traffic (
    tenant_id text        NOT NULL,
    hour      timestamptz NOT NULL, -- its beginning, UTC
    requests  bigint      NOT NULL CHECK (requests >= 0),
    errors    bigint      NOT NULL CHECK (errors >= 0), -- of them: answered with a status from 500
    PRIMARY KEY (tenant_id, hour)
);
SELECT guanxi_tenant_table('traffic');
SELECT guanxi_ops_table('traffic');
CREATE INDEX traffic_hour ON traffic (hour); -- by which what is old is found
