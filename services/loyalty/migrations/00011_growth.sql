-- +goose Up

-- Orders, as far as growth scores and referrals are concerned.
CREATE TABLE growth_order (
    tenant_id      text        NOT NULL,
    order_id       uuid        NOT NULL,
    customer_id    uuid,       -- none until the order's customer is known
    currency       text        NOT NULL,
    total_minor    bigint      NOT NULL CHECK (total_minor >= 0),
    returned_minor bigint      NOT NULL DEFAULT 0 CHECK (returned_minor BETWEEN 0 AND total_minor),
    placed_at      timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, order_id)
) WITH (fillfactor = 80);
CREATE INDEX growth_order_customer ON growth_order (tenant_id, customer_id, placed_at) WHERE customer_id IS NOT NULL;
SELECT guanxi_tenant_table('growth_order');

-- Their lines that name an article.
CREATE TABLE growth_line (
    tenant_id      text    NOT NULL,
    order_id       uuid    NOT NULL,
    line_no        integer NOT NULL,
    sku            text    NOT NULL,
    amount_minor   bigint  NOT NULL CHECK (amount_minor >= 0),
    returned_minor bigint  NOT NULL DEFAULT 0 CHECK (returned_minor BETWEEN 0 AND amount_minor),
    PRIMARY KEY (tenant_id, order_id, line_no)
);
SELECT guanxi_tenant_table('growth_line');

-- Returns that were counted, so that none counts twice.
CREATE TABLE growth_return (
    tenant_id    text   NOT NULL,
    order_id     uuid   NOT NULL,
    return_id    uuid   NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor >= 0),
    PRIMARY KEY (tenant_id, order_id, return_id)
);
SELECT guanxi_tenant_table('growth_return');

-- What customers did apart from buying. The key is the interaction's id, the id that an integrator gave, or the referral's id.
CREATE TABLE growth_behaviour (
    tenant_id    text        NOT NULL,
    kind         text        NOT NULL CHECK (kind IN ('interactions', 'reviews', 'referrals')),
    key          text        NOT NULL,
    customer_id  uuid        NOT NULL,
    member_id    uuid,       -- of whom it was told; none where it counts in every programme
    programme    text        NOT NULL DEFAULT '', -- in which it counts; empty: in every one
    occurred_at  timestamptz NOT NULL,
    recorded_at  timestamptz NOT NULL,
    recorded_by  text        NOT NULL,
    withdrawn_at timestamptz, -- since then it does not count
    PRIMARY KEY (tenant_id, kind, key)
);
CREATE INDEX growth_behaviour_customer ON growth_behaviour (tenant_id, customer_id, kind, occurred_at) WHERE withdrawn_at IS NULL;
SELECT guanxi_tenant_table('growth_behaviour');

-- The growth score of each member who was scored.
CREATE TABLE growth_score (
    tenant_id text        NOT NULL,
    member_id uuid        NOT NULL,
    score     integer     NOT NULL CHECK (score BETWEEN 0 AND 1000),
    told      integer     NOT NULL CHECK (told BETWEEN 0 AND 1000), -- what the last event said; 0 before the first
    programme_version integer NOT NULL, -- of the terms by which it was made
    scored_at timestamptz NOT NULL, -- when that changed
    PRIMARY KEY (tenant_id, member_id)
) WITH (fillfactor = 80);
SELECT guanxi_tenant_table('growth_score');

-- Every change that was told of.
CREATE TABLE growth_history (
    tenant_id         text        NOT NULL,
    member_id         uuid        NOT NULL,
    id                uuid        NOT NULL,
    score             integer     NOT NULL CHECK (score BETWEEN 0 AND 1000),
    from_score        integer     NOT NULL CHECK (from_score BETWEEN 0 AND 1000),
    cause             text        NOT NULL,
    programme_version integer     NOT NULL,
    parts             jsonb       NOT NULL,
    scored_at         timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, member_id, id)
);
SELECT guanxi_tenant_table('growth_history');

-- How far the daily round over the members of a programme is. It moves in the transaction in which members are scored, so that
-- whoever is killed goes on behind the last one who was, and each is scored once a day by it.
CREATE TABLE growth_round (
    tenant_id    text    NOT NULL,
    programme    text    NOT NULL,
    day          date    NOT NULL, -- in the programme's zone
    version      integer NOT NULL, -- of the terms
    after_member uuid    NOT NULL,
    members      bigint  NOT NULL DEFAULT 0, -- that were scored that day
    done         boolean NOT NULL DEFAULT false,
    PRIMARY KEY (tenant_id, programme)
);
SELECT guanxi_tenant_table('growth_round');

-- Codes by which members refer customers, one a member.
CREATE TABLE referral_code (
    tenant_id  text        NOT NULL,
    code       text        NOT NULL,
    member_id  uuid        NOT NULL,
    made_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, code),
    CONSTRAINT referral_code_member UNIQUE (tenant_id, member_id)
);
SELECT guanxi_tenant_table('referral_code');

-- Customers who were referred. The ids of customers stay as they were written; whoever asks reads them through merges.
CREATE TABLE referral (
    tenant_id          text        NOT NULL,
    id                 uuid        NOT NULL,
    programme          text        NOT NULL,
    code               text        NOT NULL,
    referrer_id        uuid        NOT NULL, -- member
    referrer_customer  uuid        NOT NULL,
    referred_customer  uuid        NOT NULL,
    state              text        NOT NULL CHECK (state IN ('open', 'completed', 'taken_back', 'void', 'expired')),
    reason             text        NOT NULL DEFAULT '', -- code, of void and taken_back
    named_at           timestamptz NOT NULL,
    named_by           text        NOT NULL,
    expires_at         timestamptz, -- none: the first purchase may come at any time
    decided_at         timestamptz, -- when it was completed, or void; none while it is open
    referred_id        uuid,        -- member, once there is one who was rewarded
    order_id           uuid,        -- the purchase
    referrer_points    bigint      NOT NULL DEFAULT 0 CHECK (referrer_points >= 0),
    referred_points    bigint      NOT NULL DEFAULT 0 CHECK (referred_points >= 0),
    referrer_entry     uuid,
    referred_entry     uuid,
    taken_back_at      timestamptz,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX referral_once ON referral (tenant_id, programme, referred_customer) WHERE state IN ('open', 'completed', 'taken_back');
CREATE INDEX referral_referred ON referral (tenant_id, referred_customer);
CREATE INDEX referral_referrer ON referral (tenant_id, referrer_customer, programme, named_at);
CREATE INDEX referral_order ON referral (tenant_id, order_id) WHERE order_id IS NOT NULL;
CREATE INDEX referral_named ON referral (tenant_id, programme, named_at);
SELECT guanxi_tenant_table('referral');

-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE ON growth_return, growth_history, referral_code FROM %I', guanxi_role('app'));
    EXECUTE format('REVOKE DELETE ON growth_order, growth_line, growth_behaviour, growth_score, growth_round, referral FROM %I', guanxi_role('app'));
END
$$;
-- +goose StatementEnd
