-- +goose Up

-- What points can be redeemed for. The counters say where the things are: free to be redeemed (stock), reserved for somebody, or
-- given; together they are what was received. Whoever changes them locks the row and writes a movement.
CREATE TABLE reward (
    tenant_id      text        NOT NULL,
    id             uuid        NOT NULL,
    programme      text        NOT NULL, -- code
    code           text        NOT NULL,
    version        bigint      NOT NULL CHECK (version > 0), -- of what people edit
    name           text        NOT NULL,
    kind           text        NOT NULL CHECK (kind IN ('voucher', 'delivery', 'counter')),
    tier           text        NOT NULL, -- the lowest level that may redeem it; empty: everybody
    limit_quantity integer     CHECK (limit_quantity > 0), -- of one customer; none: no limit
    limit_days     integer     NOT NULL CHECK (limit_days >= 0), -- in so many days; 0: ever
    valid_from     timestamptz,
    valid_until    timestamptz,
    fulfil_seconds bigint      NOT NULL CHECK (fulfil_seconds > 0),
    confirm        boolean     NOT NULL, -- somebody has to say that it arrived
    low_stock      bigint      NOT NULL CHECK (low_stock >= 0), -- a stock of so many is low
    archived_at    timestamptz,
    by_subject     text        NOT NULL,
    created_at     timestamptz NOT NULL,
    changed_at     timestamptz NOT NULL,
    received       bigint      CHECK (received >= 0), -- less what was taken out again; none: there is no end of it
    stock          bigint      CHECK (stock >= 0),
    reserved       bigint      NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    given          bigint      NOT NULL DEFAULT 0 CHECK (given >= 0),
    movements      bigint      NOT NULL DEFAULT 0, -- the number of the latest movement
    vouchers       bigint      NOT NULL DEFAULT 0, -- and of the latest voucher
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT reward_code UNIQUE (tenant_id, programme, code),
    CONSTRAINT reward_stock CHECK ((stock IS NULL) = (received IS NULL) AND (stock IS NULL OR stock + reserved + given = received)),
    CHECK (kind <> 'voucher' OR stock IS NOT NULL)
) WITH (fillfactor = 60);
SELECT guanxi_tenant_table('reward');

-- What a reward costs from a time on: the latest one that has begun, and of two that begin together the later written. Append-only.
CREATE TABLE reward_cost (
    tenant_id      text        NOT NULL,
    reward_id      uuid        NOT NULL,
    no             integer     NOT NULL CHECK (no > 0),
    points         bigint      NOT NULL CHECK (points > 0),
    effective_from timestamptz NOT NULL,
    by_subject     text        NOT NULL,
    created_at     timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, reward_id, no),
    FOREIGN KEY (tenant_id, reward_id) REFERENCES reward (tenant_id, id)
);
CREATE INDEX reward_cost_from ON reward_cost (tenant_id, reward_id, effective_from DESC, no DESC);
SELECT guanxi_tenant_table('reward_cost');

-- Every change of a reward's counters; append-only.
CREATE TABLE reward_movement (
    tenant_id     text        NOT NULL,
    reward_id     uuid        NOT NULL,
    no            bigint      NOT NULL CHECK (no > 0),
    kind          text        NOT NULL CHECK (kind IN ('received', 'withdrawn', 'reserved', 'released', 'given')),
    quantity      bigint      NOT NULL CHECK (quantity > 0),
    reason        text        NOT NULL, -- code
    redemption_id uuid,       -- for which; none for what people do
    by_subject    text        NOT NULL,
    at            timestamptz NOT NULL,
    stock_after   bigint,     -- none where there is no end of it
    PRIMARY KEY (tenant_id, reward_id, no)
);
SELECT guanxi_tenant_table('reward_movement');

-- Codes of vouchers. Whoever has one can use it, so it stands nowhere else, and is taken out when its customer is erased; the hash
-- stays, by which no code is ever given twice.
CREATE TABLE reward_voucher (
    tenant_id     text        NOT NULL,
    reward_id     uuid        NOT NULL,
    no            bigint      NOT NULL CHECK (no > 0), -- given in this order
    code          text,
    code_hash     bytea       NOT NULL, -- SHA-256
    redemption_id uuid,       -- for which it is reserved or given
    withdrawn_at  timestamptz,
    PRIMARY KEY (tenant_id, reward_id, no),
    CONSTRAINT reward_voucher_code UNIQUE (tenant_id, code_hash)
);
CREATE INDEX reward_voucher_free ON reward_voucher (tenant_id, reward_id, no) WHERE redemption_id IS NULL AND withdrawn_at IS NULL;
CREATE INDEX reward_voucher_redemption ON reward_voucher (tenant_id, redemption_id, no) WHERE redemption_id IS NOT NULL;
SELECT guanxi_tenant_table('reward_voucher');

-- Rewards that members redeemed. What the reward said then is copied, so that no change of it changes what was agreed.
CREATE TABLE redemption (
    tenant_id      text        NOT NULL,
    id             uuid        NOT NULL,
    version        bigint      NOT NULL CHECK (version > 0),
    member_id      uuid        NOT NULL,
    customer_id    uuid        NOT NULL, -- the member's, as it was written
    programme      text        NOT NULL,
    reward_id      uuid        NOT NULL,
    reward         text        NOT NULL, -- its code
    kind           text        NOT NULL,
    quantity       integer     NOT NULL CHECK (quantity > 0),
    points         bigint      NOT NULL CHECK (points > 0),
    spend_id       uuid        NOT NULL, -- the entry of the ledger that spent them
    confirm        boolean     NOT NULL,
    fulfil_seconds bigint      NOT NULL,
    state          text        NOT NULL CHECK (state IN ('reserved', 'handed_over', 'fulfilled', 'cancelled')),
    reference      text        NOT NULL DEFAULT '', -- by which whoever hands it over knows it
    reason         text        NOT NULL DEFAULT '', -- code of why it was cancelled
    failure        text        NOT NULL DEFAULT '', -- code of what could not be done, where that was why
    by_subject     text        NOT NULL, -- who redeemed it for the member
    handed_over_by text        NOT NULL DEFAULT '',
    closed_by      text        NOT NULL DEFAULT '',
    redeemed_at    timestamptz NOT NULL,
    handed_over_at timestamptz,
    closed_at      timestamptz,
    due_at         timestamptz, -- when it is cancelled, or taken as arrived, by itself; none once it is closed
    step_at        timestamptz, -- when its process does something by itself; none once it is closed
    request_key    text,        -- of the request that made it, kept for ever; none without an Idempotency-Key
    input_hash     bytea,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT redemption_request UNIQUE (tenant_id, request_key),
    FOREIGN KEY (tenant_id, reward_id) REFERENCES reward (tenant_id, id),
    CHECK ((closed_at IS NULL) = (state IN ('reserved', 'handed_over'))),
    CHECK ((due_at IS NULL) = (closed_at IS NOT NULL) AND (step_at IS NULL) = (closed_at IS NOT NULL))
);
CREATE INDEX redemption_member ON redemption (tenant_id, member_id, id);
CREATE INDEX redemption_customer ON redemption (tenant_id, customer_id);
CREATE INDEX redemption_state ON redemption (tenant_id, state, id);
CREATE INDEX redemption_reward ON redemption (tenant_id, reward_id, id);
CREATE INDEX redemption_report ON redemption (tenant_id, reward_id, redeemed_at) INCLUDE (state, quantity, points);
CREATE INDEX redemption_step ON redemption (step_at) WHERE closed_at IS NULL;
SELECT guanxi_tenant_table('redemption');

-- +goose StatementBegin
-- redemption_late lists redemptions of all tenants with which their process ought to have done something before p_before: it was
-- ended by hand, or was lost. It gives ids only; whoever calls it goes on under row level security, tenant by tenant.
CREATE FUNCTION redemption_late(p_before timestamptz, p_limit integer) RETURNS TABLE (tenant_id text, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT r.tenant_id, r.id FROM redemption r WHERE r.closed_at IS NULL AND r.step_at < p_before ORDER BY r.step_at LIMIT p_limit
$$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE ON reward_cost, reward_movement FROM %I', guanxi_role('app'));
    EXECUTE format('REVOKE DELETE ON reward, reward_voucher, redemption FROM %I', guanxi_role('app'));
    EXECUTE 'REVOKE EXECUTE ON FUNCTION redemption_late(timestamptz, integer) FROM PUBLIC';
    EXECUTE format('GRANT EXECUTE ON FUNCTION redemption_late(timestamptz, integer) TO %I', guanxi_role('app'));
END
$$;
-- +goose StatementEnd
