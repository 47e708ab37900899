-- +goose Up

-- The ledger: one row an entry, one column an account, and the columns of a row add up to zero. Nothing is ever changed
-- or deleted. There is no foreign key to member, which would cost each booking a look-up and a lock: whoever books has
-- locked the member already, and the auditor's check finds entries whose member is not there.
CREATE TABLE ledger_entry (
    tenant_id       text        NOT NULL,
    id              uuid        NOT NULL,
    member_id       uuid,       -- none for a tombstone: an entry that keeps its key from being used
    entry_no        bigint,     -- 1, 2, 3 ... within the member, in the order of booking
    kind            text        NOT NULL CHECK (kind IN ('earn', 'grant', 'spend', 'release', 'reversal', 'void')),
    key             text        NOT NULL, -- what makes a repetition known, for ever
    input_hash      bytea,      -- tells a repetition from another request; none where the key says it all
    reason_type     text        NOT NULL,
    reason_id       text        NOT NULL, -- may be empty
    reverses        uuid,       -- the entry that is taken back
    booked_by       text        NOT NULL, -- who asked for it: the subject of the token, or the part of the program
    effective_at    timestamptz NOT NULL, -- when what it is for took place
    recorded_at     timestamptz NOT NULL, -- when it was booked
    pending         bigint      NOT NULL DEFAULT 0, -- member: locked points
    available       bigint      NOT NULL DEFAULT 0, -- member: points to spend
    debt            bigint      NOT NULL DEFAULT 0, -- member: what is owed, below zero
    issued          bigint      NOT NULL DEFAULT 0, -- programme: the counterpart of points given, below zero
    redeemed        bigint      NOT NULL DEFAULT 0, -- programme: points spent
    expired         bigint      NOT NULL DEFAULT 0, -- programme: points that ran out
    adjusted        bigint      NOT NULL DEFAULT 0, -- programme: corrections
    settlement      bigint      NOT NULL DEFAULT 0, -- the partner's account
    partner         text,       -- whose settlement account
    available_after bigint      NOT NULL, -- the member's points to spend when it was booked
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT ledger_entry_key UNIQUE (tenant_id, key),
    CONSTRAINT ledger_entry_no UNIQUE (tenant_id, member_id, entry_no),
    CONSTRAINT ledger_entry_balanced
        CHECK (pending + available + debt + issued + redeemed + expired + adjusted + settlement = 0),
    CHECK ((kind = 'void') = (member_id IS NULL) AND (member_id IS NULL) = (entry_no IS NULL)),
    CHECK (settlement = 0 OR partner IS NOT NULL)
);
SELECT guanxi_tenant_table('ledger_entry');

-- Points that came in together, and what is left of them. A lot bears the id of the entry that made it.
CREATE TABLE lot (
    tenant_id    text        NOT NULL,
    id           uuid        NOT NULL,
    member_id    uuid        NOT NULL,
    points       bigint      NOT NULL CHECK (points > 0), -- without those that paid a debt
    remaining    bigint      NOT NULL CHECK (remaining BETWEEN 0 AND points),
    available_at timestamptz NOT NULL,
    released     boolean     NOT NULL, -- its points are available; otherwise they are pending
    earned_at    timestamptz NOT NULL,
    reason_type  text        NOT NULL,
    reason_id    text        NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX lot_open ON lot (tenant_id, member_id, released, earned_at, id) WHERE remaining > 0;
CREATE INDEX lot_due ON lot (available_at) WHERE NOT released AND remaining > 0;
SELECT guanxi_tenant_table('lot');

-- Which lots an entry took points from.
CREATE TABLE lot_use (
    tenant_id text   NOT NULL,
    entry_id  uuid   NOT NULL,
    lot_id    uuid   NOT NULL,
    points    bigint NOT NULL CHECK (points <> 0), -- taken; below zero: given back
    PRIMARY KEY (tenant_id, entry_id, lot_id)
);
SELECT guanxi_tenant_table('lot_use');

-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE ON ledger_entry, lot_use FROM %I', guanxi_role('app'));
    EXECUTE format('REVOKE DELETE ON lot, member FROM %I', guanxi_role('app'));
END
$$;
-- +goose StatementEnd
