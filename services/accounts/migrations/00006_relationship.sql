-- +goose Up

-- Who stands in which relation to whom. Both ends keep the ids that they were written with; what they mean now is said by
-- customer.root_id. Only the end of a relation is ever written to a row that stands.
CREATE TABLE relationship (
    tenant_id   text        NOT NULL,
    id          uuid        NOT NULL, -- UUIDv7
    kind        text        NOT NULL CHECK (kind IN ('household', 'parent_organisation', 'contact_of', 'reports_to')),
    customer_id uuid        NOT NULL, -- from whom it goes out: the member, the subsidiary, the contact, who reports
    related_id  uuid        NOT NULL, -- to whom it leads: the head, the parent, the organisation, the superior
    started_at  timestamptz NOT NULL,
    ended_at    timestamptz,          -- none: current
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id),
    FOREIGN KEY (tenant_id, related_id) REFERENCES customer (tenant_id, id),
    CHECK (customer_id <> related_id)
);
CREATE INDEX relationship_out ON relationship (tenant_id, customer_id, id);
CREATE INDEX relationship_in ON relationship (tenant_id, related_id, id);
-- What is walked along: upwards from a customer, downwards from a related one.
CREATE UNIQUE INDEX relationship_up ON relationship (tenant_id, kind, customer_id, related_id) WHERE ended_at IS NULL;
CREATE INDEX relationship_down ON relationship (tenant_id, kind, related_id, id) WHERE ended_at IS NULL;
SELECT guanxi_tenant_table('relationship');

-- An installed product. Its history hangs on the asset; whose it was and is stands in asset_owner, and nowhere else.
CREATE TABLE asset (
    tenant_id          text        NOT NULL,
    id                 uuid        NOT NULL, -- UUIDv7
    version            bigint      NOT NULL,
    type               text        NOT NULL CHECK (type IN ('vehicle', 'machine', 'appliance', 'device', 'software', 'other')),
    product            text        NOT NULL, -- code
    serial             text        NOT NULL, -- in its one form; a vehicle's VIN; empty: none
    state              text        NOT NULL CHECK (state IN ('in_use', 'scrapped')),
    meter_unit         text        NOT NULL CHECK (meter_unit IN ('km', 'mi', 'h', 'count')),
    interval_months    integer     NOT NULL CHECK (interval_months >= 0), -- between services; 0: none by date
    interval_meter     bigint      NOT NULL CHECK (interval_meter >= 0),  -- in meter_unit; 0: none by meter
    began_on           date        NOT NULL, -- from when months are counted before the first service
    began_run          bigint,               -- from where the meter is, the least that was ever read; none: nobody read it
    last_service_on    date,
    last_service_meter bigint,               -- as it was read; none where nobody read it
    last_service_run   bigint,               -- the same over all meters that the asset ever had, see asset_reading
    due_date           date,                 -- of the next service by months
    due_meter          bigint,               -- of the next service, as the present meter will show it
    due_on             date,                 -- the earlier of due_date and the day on which due_meter is likely to be reached
    due_by             text        NOT NULL CHECK (due_by IN ('', 'date', 'meter')), -- which of them due_on is
    registered_at      timestamptz NOT NULL,
    changed_at         timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
) WITH (fillfactor = 80);
-- A VIN is one vehicle's whoever made it; the serials of two makers' products may be the same.
CREATE UNIQUE INDEX asset_vin ON asset (tenant_id, serial) WHERE type = 'vehicle' AND serial <> '' AND state = 'in_use';
CREATE UNIQUE INDEX asset_serial ON asset (tenant_id, type, product, serial) WHERE type <> 'vehicle' AND serial <> '' AND state = 'in_use';
CREATE INDEX asset_due ON asset (tenant_id, due_on, id) WHERE state = 'in_use' AND due_on IS NOT NULL;
SELECT guanxi_tenant_table('asset');

-- Whose an asset is and was: the one without until is the owner's. What the owner calls the asset and when it was bought
-- is the owner's own, so that the next one does not read it.
CREATE TABLE asset_owner (
    tenant_id    text        NOT NULL,
    id           uuid        NOT NULL, -- UUIDv7
    asset_id     uuid        NOT NULL,
    customer_id  uuid        NOT NULL,
    name         text        NOT NULL, -- empty: none
    purchased_on date,                 -- none: not known
    since        date        NOT NULL,
    until        date,
    given_up     text        NOT NULL CHECK (given_up IN ('', 'sold', 'scrapped')),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, asset_id) REFERENCES asset (tenant_id, id),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id),
    CHECK ((until IS NULL) = (given_up = ''))
);
CREATE UNIQUE INDEX asset_owner_present ON asset_owner (tenant_id, asset_id) WHERE until IS NULL;
CREATE INDEX asset_owner_customer ON asset_owner (tenant_id, customer_id, id);
SELECT guanxi_tenant_table('asset_owner');

-- What the meter showed. run goes on where a meter was replaced, so that two readings can be taken from each other.
CREATE TABLE asset_reading (
    tenant_id   text        NOT NULL,
    asset_id    uuid        NOT NULL,
    read_on     date        NOT NULL,
    no          bigint      NOT NULL, -- the order of readings of one day: the asset's version that came of it
    id          uuid        NOT NULL, -- UUIDv7
    meter       bigint      NOT NULL CHECK (meter >= 0),
    run         bigint      NOT NULL,
    replaced    boolean     NOT NULL, -- the first one of another meter
    reason      text        NOT NULL, -- code of why it was replaced
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, asset_id, read_on, no),
    FOREIGN KEY (tenant_id, asset_id) REFERENCES asset (tenant_id, id),
    CHECK (replaced = (reason <> ''))
);
SELECT guanxi_tenant_table('asset_reading');

CREATE TABLE asset_service (
    tenant_id   text        NOT NULL,
    asset_id    uuid        NOT NULL,
    serviced_on date        NOT NULL,
    no          bigint      NOT NULL, -- as of a reading
    id          uuid        NOT NULL, -- UUIDv7
    meter       bigint,               -- none where nobody read it
    work        text        NOT NULL, -- code of what was done; empty: not said
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, asset_id, serviced_on, no),
    FOREIGN KEY (tenant_id, asset_id) REFERENCES asset (tenant_id, id)
);
SELECT guanxi_tenant_table('asset_service');

-- Where a tenant meets its customers, by the stage of their journey.
CREATE TABLE touchpoint (
    tenant_id  text        NOT NULL,
    code       text        NOT NULL CHECK (code ~ '^[a-z0-9][a-z0-9_-]{0,63}$'),
    version    bigint      NOT NULL,
    title      text        NOT NULL,
    stage      text        NOT NULL CHECK (stage IN ('awareness', 'consideration', 'purchase', 'service', 'loyalty')),
    channel    text        NOT NULL CHECK (channel IN ('', 'counter', 'phone', 'email', 'sms', 'web', 'wechat', 'social', 'visit')),
    archived   boolean     NOT NULL,
    created_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, code)
);
SELECT guanxi_tenant_table('touchpoint');

-- One contact with a customer. The words stay here: no event and no other room's list has them.
CREATE TABLE interaction (
    tenant_id        text        NOT NULL,
    id               uuid        NOT NULL, -- UUIDv7
    customer_id      uuid        NOT NULL,
    channel          text        NOT NULL CHECK (channel IN ('counter', 'phone', 'email', 'sms', 'web', 'wechat', 'social', 'visit')),
    direction        text        NOT NULL CHECK (direction IN ('inbound', 'outbound')),
    touchpoint       text,                 -- code; none where none was named
    outcome          text        NOT NULL, -- code; empty: nothing was said
    occurred_at      timestamptz NOT NULL,
    duration_seconds bigint      NOT NULL CHECK (duration_seconds >= 0),
    summary          text        NOT NULL, -- empty: none, or erased
    identity_type    text        NOT NULL, -- by which the customer came; empty: not said, or erased
    identity_value   text        NOT NULL, -- in its one form
    recorded_by      text        NOT NULL, -- subject of the user
    recorded_at      timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id),
    FOREIGN KEY (tenant_id, touchpoint) REFERENCES touchpoint (tenant_id, code)
);
CREATE INDEX interaction_customer ON interaction (tenant_id, customer_id, occurred_at, id);
SELECT guanxi_tenant_table('interaction');

-- +goose StatementBegin
DO $$
DECLARE
    app text := guanxi_role('app');
    t   text;
BEGIN
    FOREACH t IN ARRAY ARRAY ['asset_reading', 'asset_service', 'interaction', 'relationship'] LOOP
        EXECUTE format('REVOKE UPDATE, DELETE ON %I FROM %I', t, app);
    END LOOP;
    EXECUTE format('GRANT UPDATE (ended_at), DELETE ON relationship TO %I', app); -- both are taken away by an erasure
    EXECUTE format('GRANT UPDATE (summary, identity_type, identity_value) ON interaction TO %I', app);
    EXECUTE format('REVOKE DELETE ON asset FROM %I', app);
    EXECUTE format('REVOKE DELETE ON touchpoint FROM %I', app);
END
$$;
-- +goose StatementEnd
