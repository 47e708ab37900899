-- What rollouts have switched on for whom, and who of which unit has worked with the service.

-- +goose Up
CREATE TABLE entitlement (
    tenant_id  text    NOT NULL,
    rollout_id uuid    NOT NULL,
    capability text    NOT NULL,
    units      text[]  NOT NULL, -- that are live, such as north/branch-3; a unit takes in those below it
    everyone   boolean NOT NULL, -- the rollout has finished
    PRIMARY KEY (tenant_id, rollout_id, capability)
);
SELECT guanxi_tenant_table('entitlement');

CREATE TABLE unit_activity (
    tenant_id text NOT NULL,
    day       date NOT NULL, -- UTC
    unit      text NOT NULL,
    subject   text NOT NULL, -- of a token
    PRIMARY KEY (tenant_id, day, unit, subject)
);
SELECT guanxi_tenant_table('unit_activity');
