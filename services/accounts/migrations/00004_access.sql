-- +goose Up

-- Who looked at financial, health or special data of whom, for what and why. It is only ever added to, and each row's
-- hash covers the row before it, so that a change by whoever can change the database is found. It holds ids and codes.
CREATE TABLE access_log (
    tenant_id   text        NOT NULL,
    seq         bigint      NOT NULL CHECK (seq > 0), -- from 1 without gaps
    at          timestamptz NOT NULL,
    subject     text        NOT NULL, -- who looked, as the token says
    roles       text        NOT NULL, -- that allowed it, with commas between
    purpose     text        NOT NULL,
    reason      text        NOT NULL, -- code, or the id of what it was done for
    view        text        NOT NULL, -- what was looked at, such as profile
    customer_id uuid        NOT NULL,
    classes     text        NOT NULL, -- that were in sight, with commas between
    hash        bytea       NOT NULL, -- SHA-256 over the hash of the row before and all of the above
    PRIMARY KEY (tenant_id, seq)
);
CREATE INDEX access_log_customer ON access_log (tenant_id, customer_id, seq);
CREATE INDEX access_log_subject ON access_log (tenant_id, subject, seq);
SELECT guanxi_tenant_table('access_log');

-- Where each tenant's log ends: without it, rows cut from the end would leave a shorter log that is right in itself. It is
-- locked while rows are added.
CREATE TABLE access_log_head (
    tenant_id text   NOT NULL PRIMARY KEY,
    entries   bigint NOT NULL,
    last_hash bytea  NOT NULL -- empty before the first entry
);
SELECT guanxi_tenant_table('access_log_head');

-- What analyses and other systems say of a customer, with the classes of what they drew on.
CREATE TABLE insight (
    tenant_id         text             NOT NULL,
    customer_id       uuid             NOT NULL,
    name              text             NOT NULL CHECK (name ~ '^[a-z][a-z0-9_]{0,62}$'),
    kind              text             NOT NULL CHECK (kind IN ('segment', 'score', 'recommendation')),
    value_text        text             NOT NULL, -- empty for a score
    value_number      double precision,          -- of a score
    input_classes     text[]           NOT NULL CHECK (input_classes <> '{}'), -- sorted
    about_customer_id uuid,                      -- whose data was drawn on where it is another person's
    computed_at       timestamptz      NOT NULL,
    valid_until       timestamptz,               -- none: until another takes its place
    stated_by         text             NOT NULL, -- subject of whoever said so
    PRIMARY KEY (tenant_id, customer_id, name),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id),
    FOREIGN KEY (tenant_id, about_customer_id) REFERENCES customer (tenant_id, id),
    CHECK ((kind = 'score') = (value_number IS NOT NULL))
);
CREATE INDEX insight_about ON insight (tenant_id, about_customer_id) WHERE about_customer_id IS NOT NULL;
SELECT guanxi_tenant_table('insight');

-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE ON access_log FROM %I', guanxi_role('app'));
    EXECUTE format('REVOKE DELETE ON access_log_head FROM %I', guanxi_role('app'));
END
$$;
-- +goose StatementEnd
