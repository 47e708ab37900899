-- +goose Up

-- The units of the organisation. A code is a path; a unit takes in those below it.
CREATE TABLE unit (
    tenant_id   text    NOT NULL,
    id          uuid    NOT NULL,
    code        text    COLLATE "C" NOT NULL,
    name        text    NOT NULL,
    headcount   integer NOT NULL CHECK (headcount >= 0), -- users expected in the unit itself
    version     bigint  NOT NULL,
    archived_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT unit_code UNIQUE (tenant_id, code)
);
SELECT guanxi_tenant_table('unit');
