-- +goose Up

-- What rules may ask about an order, and what they gave for it in the standard programme. Of other programmes stand the same
-- columns in earning_share.
ALTER TABLE earning_order
    ADD COLUMN channel         text    NOT NULL DEFAULT '',
    ADD COLUMN units           bigint  NOT NULL DEFAULT 0,
    ADD COLUMN lines           jsonb,   -- [[sku, quantity, amount_minor], ...]; none where they are not known
    ADD COLUMN member_id       uuid,    -- who earned; none where nobody did
    ADD COLUMN version         integer NOT NULL DEFAULT 0, -- of the terms by which it was judged
    ADD COLUMN tier            text    NOT NULL DEFAULT '', -- of the member then
    ADD COLUMN first_purchase  boolean, -- none where no rule asked for it
    ADD COLUMN qualifying      bigint  NOT NULL DEFAULT 0 CHECK (qualifying >= 0), -- points that count towards tiers
    ADD COLUMN qualifying_back bigint  NOT NULL DEFAULT 0 CHECK (qualifying_back BETWEEN 0 AND qualifying),
    ADD COLUMN outcome         jsonb;   -- which rules gave what; none where it was a point for each whole major unit
CREATE INDEX earning_order_customer ON earning_order (tenant_id, customer_id, placed_at, order_id) WHERE customer_id IS NOT NULL;

CREATE TABLE earning_share (
    tenant_id       text        NOT NULL,
    order_id        uuid        NOT NULL,
    programme       text        NOT NULL, -- never the standard one
    customer_id     uuid        NOT NULL, -- the order's
    placed_at       timestamptz NOT NULL, -- the order's
    member_id       uuid        NOT NULL,
    version         integer     NOT NULL,
    tier            text        NOT NULL,
    first_purchase  boolean,
    points          bigint      NOT NULL CHECK (points >= 0),
    taken_back      bigint      NOT NULL CHECK (taken_back BETWEEN 0 AND points),
    qualifying      bigint      NOT NULL CHECK (qualifying >= 0),
    qualifying_back bigint      NOT NULL CHECK (qualifying_back BETWEEN 0 AND qualifying),
    entry_id        uuid,       -- none where it gave no points
    outcome         jsonb,
    PRIMARY KEY (tenant_id, order_id, programme)
);
CREATE INDEX earning_share_customer ON earning_share (tenant_id, programme, customer_id, placed_at, order_id);
SELECT guanxi_tenant_table('earning_share');

-- Goods of orders that came back, in the order in which they were heard of.
CREATE TABLE earning_return (
    tenant_id    text        NOT NULL,
    order_id     uuid        NOT NULL,
    return_id    uuid        NOT NULL,
    no           integer     NOT NULL CHECK (no > 0), -- within the order
    amount_minor bigint      NOT NULL CHECK (amount_minor >= 0),
    returned_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, order_id, return_id)
);
SELECT guanxi_tenant_table('earning_return');

-- What caps counted: points of a member's orders, by when these were placed.
CREATE TABLE earning_cap (
    tenant_id text        NOT NULL,
    member_id uuid        NOT NULL,
    cap       text        NOT NULL, -- code
    placed_at timestamptz NOT NULL,
    order_id  uuid        NOT NULL,
    points    bigint      NOT NULL CHECK (points > 0),
    PRIMARY KEY (tenant_id, member_id, cap, placed_at, order_id)
);
SELECT guanxi_tenant_table('earning_cap');

-- In which month customers were born, as they said. It is personal, and is taken away with the customer.
CREATE TABLE birthday_month (
    tenant_id   text        NOT NULL,
    customer_id uuid        NOT NULL,
    month       smallint    NOT NULL CHECK (month BETWEEN 1 AND 12),
    by_subject  text        NOT NULL,
    at          timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, customer_id)
);
SELECT guanxi_tenant_table('birthday_month');

-- What other terms would have given for the orders of a time. Nothing but these rows is written by trying them.
CREATE TABLE earning_dry_run (
    tenant_id   text        NOT NULL,
    id          uuid        NOT NULL,
    programme   text        NOT NULL,
    terms       jsonb       NOT NULL,
    from_at     timestamptz NOT NULL,
    until_at    timestamptz NOT NULL,
    state       text        NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed')),
    reason      text        NOT NULL DEFAULT '', -- code of why it failed
    orders      bigint      NOT NULL DEFAULT 0,  -- that were looked at so far
    result      jsonb,      -- once it is done
    by_subject  text        NOT NULL,
    created_at  timestamptz NOT NULL,
    lease_until timestamptz NOT NULL, -- until then somebody is at work
    attempts    integer     NOT NULL DEFAULT 0,
    ended_at    timestamptz,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX earning_dry_run_due ON earning_dry_run (lease_until) WHERE state IN ('queued', 'running');
SELECT guanxi_tenant_table('earning_dry_run');

-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE ON earning_return, earning_cap FROM %I', guanxi_role('app'));
    EXECUTE format('REVOKE DELETE ON earning_share, earning_dry_run FROM %I', guanxi_role('app'));
END
$$;
-- +goose StatementEnd
