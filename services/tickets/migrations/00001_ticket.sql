-- +goose Up

-- The last number that a ticket of the tenant was given.
CREATE TABLE ticket_counter (
    tenant_id text   NOT NULL PRIMARY KEY,
    last      bigint NOT NULL
) WITH (fillfactor = 50);
SELECT guanxi_tenant_table('ticket_counter');

CREATE TABLE ticket (
    tenant_id   text        NOT NULL,
    id          uuid        NOT NULL, -- UUIDv7
    version     bigint      NOT NULL,
    number      bigint      NOT NULL, -- people say T-000123
    kind        text        NOT NULL CHECK (kind IN ('enquiry', 'incident', 'complaint', 'suggestion', 'praise')),
    channel     text        NOT NULL,
    customer_id uuid,       -- none where nobody is known
    subject     text        NOT NULL,
    description text        NOT NULL,
    impact      smallint    NOT NULL CHECK (impact BETWEEN 1 AND 3),
    urgency     smallint    NOT NULL CHECK (urgency BETWEEN 1 AND 3),
    priority    smallint    NOT NULL CHECK (priority BETWEEN 1 AND 5),
    status      text        NOT NULL CHECK (status IN ('new', 'open', 'pending', 'on_hold', 'resolved', 'closed')),
    opened_at   timestamptz NOT NULL,
    changed_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
) WITH (fillfactor = 90);
CREATE UNIQUE INDEX ticket_by_number ON ticket (tenant_id, number);
CREATE INDEX ticket_by_customer ON ticket (tenant_id, customer_id, id);
CREATE INDEX ticket_by_status ON ticket (tenant_id, status, id);
SELECT guanxi_tenant_table('ticket');
