-- +goose Up

-- Customers who collect points. The balances repeat what the ledger's entries add up to; every command locks the row
-- first, so that no two book for one member at once, and changes no indexed column, so that the row stays where it is.
CREATE TABLE member (
    tenant_id   text        NOT NULL,
    id          uuid        NOT NULL,
    customer_id uuid        NOT NULL,
    card_number text        NOT NULL, -- digits, the last one after Luhn
    source      text        NOT NULL, -- code of how the customer became a member
    enrolled_at timestamptz NOT NULL,
    available   bigint      NOT NULL DEFAULT 0 CHECK (available >= 0),
    pending     bigint      NOT NULL DEFAULT 0 CHECK (pending >= 0),
    debt        bigint      NOT NULL DEFAULT 0 CHECK (debt >= 0),
    entries     bigint      NOT NULL DEFAULT 0 CHECK (entries >= 0), -- the number of the latest entry
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT member_customer UNIQUE (tenant_id, customer_id),
    CONSTRAINT member_card UNIQUE (tenant_id, card_number),
    CONSTRAINT member_debt_alone CHECK (debt = 0 OR (available = 0 AND pending = 0))
) WITH (fillfactor = 60);
SELECT guanxi_tenant_table('member');
