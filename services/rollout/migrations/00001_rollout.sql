-- +goose Up
CREATE TABLE rollout (
    tenant_id text NOT NULL,
    id        uuid NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
SELECT guanxi_tenant_table('rollout');
